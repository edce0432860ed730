import CLinux
import Glibc
import Linux
import Systemd

/// Ends connections of the front door's clients: a WebSocket is decided upon once, and outlives what the decision was
/// based on.
@LoopActor
final class ClientConnections {
  /// The user as whom the front door's nginx runs. Nobody else's connections are touched.
  nonisolated static let owner = "podctl-front"

  /// A client's end of a connection.
  struct Peer: Sendable {
    let address: [UInt8]
    let port: UInt16

    /// Reads `192.0.2.1:443` or `[2001:db8::1]:443`.
    init?(_ text: String) {
      guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")),
        text[colon...].dropFirst().utf8.allSatisfy({ (0x30...0x39).contains($0) }),
        let port = UInt16(text[colon...].dropFirst()), port > 0
      else { return nil }
      let host = text[..<colon]
      let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
      guard
        let address = isBracketed ? Self.inet6(String(host.dropFirst().dropLast())) : Self.inet(String(host))
      else { return nil }
      self.address = address
      self.port = port
    }

    private static func inet(_ text: String) -> [UInt8]? {
      var address = in_addr()
      guard inet_pton(AF_INET, text, &address) == 1 else { return nil }
      return [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF] + withUnsafeBytes(of: address) { [UInt8]($0) }
    }

    private static func inet6(_ text: String) -> [UInt8]? {
      var address = in6_addr()
      guard inet_pton(AF_INET6, text, &address) == 1 else { return nil }
      return withUnsafeBytes(of: address) { [UInt8]($0) }
    }
  }

  /// A walk over all connections of the host: one at a time.
  private let turn = AsyncSemaphore(1)

  /// Which of the peers have a connection. A front door that is not installed has none.
  func find(_ peers: [Peer]) async throws(Errno) -> [Bool] {
    guard !peers.isEmpty else { return [] }
    await turn.acquire()
    defer { turn.release() }
    return try await BackgroundThread.run { () throws(Errno) in
      guard let uid = FrontUsers.uid(of: Self.owner) else { return peers.map { _ in false } }
      return try Self.find(peers, of: uid)
    }
  }

  /// Blocks for the walk.
  nonisolated static func find(_ peers: [Peer], of uid: uid_t) throws(Errno) -> [Bool] {
    let wanted = peers.map(wanted)
    var found = [Bool](repeating: false, count: peers.count)
    let result = linux_tcp_find(wanted, wanted.count, uid, &found)
    guard result == 0 else { throw Errno(result, "find connections of \(owner)") }
    return found
  }

  /// Returns how many were ended. A front door that is not installed has none.
  func close(_ peers: [Peer]) async throws(Errno) -> Int {
    guard !peers.isEmpty else { return 0 }
    await turn.acquire()
    defer { turn.release() }
    return try await BackgroundThread.run { () throws(Errno) in
      guard let uid = FrontUsers.uid(of: Self.owner) else { return 0 }
      return try Self.close(peers, of: uid)
    }
  }

  /// Blocks for the walk.
  nonisolated static func close(_ peers: [Peer], of uid: uid_t) throws(Errno) -> Int {
    let wanted = peers.map(wanted)
    var closed: UInt32 = 0
    let result = linux_tcp_close(wanted, wanted.count, uid, &closed)
    guard result == 0 else { throw Errno(result, "end connections of \(owner)") }
    return Int(closed)
  }

  private nonisolated static func wanted(_ peer: Peer) -> linux_tcp_peer {
    var wanted = linux_tcp_peer()
    withUnsafeMutableBytes(of: &wanted.address) { $0.copyBytes(from: peer.address) }
    wanted.port = peer.port
    return wanted
  }
}
