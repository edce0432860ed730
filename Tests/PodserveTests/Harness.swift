import Glibc
import Testing

@testable import PodserveCore

/// A server in this process, with one directory, one clock that only the test moves, and as many clients as
/// wanted. Nothing runs beside the test: each step of a client turns the server.
final class Harness {
  /// Milliseconds of the server's clock.
  final class Clock {
    var now: UInt64 = 1_000_000
  }

  let root: String
  let clock = Clock()
  let server: Server
  private let listener: Int32

  init(
    dataMax: Int? = nil, storage: StorageLimits = .init(), limits: ServerLimits = .init(),
    under: String? = nil
  ) throws {
    var template = Array("\(under ?? "/tmp")/podserve-test.XXXXXX".utf8CString)
    root = String(cString: try #require(mkdtemp(&template)))
    for name in ["alice", "bob"] { mkdir("\(root)/\(name)", 0o700) }
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    listen(listener, 64)
    let users = UserTable([
      User(name: "alice", token: "A", directory: "\(root)/alice", dataMax: dataMax),
      User(name: "bob", token: "B", directory: "\(root)/bob", dataMax: nil),
      User(name: "ghost", token: "G", directory: "\(root)/missing", dataMax: nil),
    ])
    let clock = clock
    server = try Server(
      listener: listener, service: Service(users: users, limits: storage), limits: limits, now: { clock.now })
  }

  deinit {
    close(listener)
    for name in ["alice", "bob"] {
      for file in files(of: name) { unlink("\(root)/\(name)/\(file)") }
      rmdir("\(root)/\(name)")
    }
    rmdir(root)
  }

  func connect() -> Client { Client(self, listener) }

  /// Everything that can be done without waiting.
  func settle() {
    for _ in 0..<4 { server.turn(maximumWait: 0) }
  }

  /// One request on a connection of its own.
  func get(_ query: String, token: String = "A") throws -> Response {
    let client = connect()
    client.send("GET /api/v2/\(query) HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer \(token)\r\n\r\n")
    return try #require(client.response())
  }

  func post(_ query: String, _ body: some Sequence<UInt8>, token: String = "A") throws -> Response {
    let bytes = Array(body)
    let client = connect()
    client.send(
      "POST /api/v2/\(query) HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer \(token)\r\n"
        + "Content-Length: \(bytes.count)\r\n\r\n")
    client.send(bytes)
    return try #require(client.response())
  }

  /// Every name in a user's directory, hidden ones too.
  func files(of user: String) -> [String] {
    guard let stream = opendir("\(root)/\(user)") else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  func content(of path: String) -> [UInt8]? {
    let descriptor = open("\(root)/\(path)", O_RDONLY)
    guard descriptor >= 0 else { return nil }
    let file = OpenFile(descriptor)
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = bytes.withUnsafeMutableBytes { file.read(at: 0, into: $0) }
    return count.map { Array(bytes[..<$0]) }
  }

  func write(_ text: String, to path: String) {
    let descriptor = open("\(root)/\(path)", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    let bytes = Array(text.utf8)
    _ = bytes.withUnsafeBytes { OpenFile(descriptor).write($0) }
  }
}

struct Response {
  let status: Int
  let head: String
  let body: [UInt8]

  var text: String { String(decoding: body, as: UTF8.self) }
}

/// One client's end of a connection over loopback.
final class Client {
  private let harness: Harness
  private let descriptor: Int32
  private var received: [UInt8] = []
  private(set) var isClosed = false
  /// The server broke the connection off instead of ending it.
  private(set) var wasReset = false

  init(_ harness: Harness, _ listener: Int32) {
    self.harness = harness
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    let descriptor = descriptor
    withUnsafeMutableBytes(of: &address) { bytes in
      bytes.withMemoryRebound(to: sockaddr.self) {
        getsockname(listener, $0.baseAddress, &size)
        connect(descriptor, $0.baseAddress, size)
      }
    }
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
  }

  deinit {
    close(descriptor)
  }

  func send(_ text: String) { send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) {
    var rest = bytes[...]
    var stalled = 0
    while !rest.isEmpty, stalled < 1000 {
      let count = rest.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count > 0 { rest = rest.dropFirst(count) } else { stalled += 1 }
      harness.server.turn(maximumWait: 0)
    }
  }

  /// Puts bytes on their way while the server is busy elsewhere.
  func sendAhead(_ text: String) {
    _ = Glibc.send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL))
  }

  func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Takes what has come, after the server had its turns.
  func pump() {
    harness.settle()
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count > 0 { received += buffer[..<count] }
      if count < 0 && errno != EAGAIN { wasReset = true }
      if count == 0 || wasReset { isClosed = true }
      if count <= 0 { return }
      harness.settle()
    }
  }

  /// The next whole response, nil when none comes.
  func response(toHead: Bool = false) -> Response? {
    for _ in 0..<2000 {
      pump()
      if let response = take(toHead) { return response }
      if isClosed { return nil }
    }
    return nil
  }

  private func take(_ toHead: Bool) -> Response? {
    guard let end = received.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
    let head = String(decoding: received[..<end.lowerBound], as: UTF8.self)
    let headLength = end.upperBound
    let status = Int(head.dropFirst(9).prefix(3)) ?? 0
    var length = 0
    for line in head.split(separator: "\r\n") where line.hasPrefix("Content-Length: ") {
      length = Int(line.dropFirst(16)) ?? 0
    }
    if toHead { length = 0 }
    guard received.count >= headLength + length else { return nil }
    let body = Array(received[headLength..<headLength + length])
    received.removeFirst(headLength + length)
    return Response(status: status, head: head, body: body)
  }
}
