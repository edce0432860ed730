import Glibc
import Testing

@testable import PodgateCore

/// What comes back on a real connection when `serve` answers the one request on it.
func exchange(_ request: String, serve: (AcceptedConnection) -> Void) throws -> String {
  var ends: [CInt] = [-1, -1]
  try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
  let (client, server) = (ends[0], ends[1])
  defer { close(client) }
  let bytes = Array(request.utf8)
  try #require(bytes.withUnsafeBytes { send(client, $0.baseAddress, $0.count, 0) } == bytes.count)
  shutdown(client, CInt(SHUT_WR))
  serve(AcceptedConnection(descriptor: server))
  close(server)
  var answer: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65_536)
  while case let count = recv(client, &buffer, buffer.count, 0), count > 0 { answer += buffer[..<count] }
  return String(decoding: answer, as: UTF8.self)
}
