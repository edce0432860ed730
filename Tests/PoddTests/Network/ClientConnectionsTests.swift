import Glibc
import LoopThread
import PodAPI
import Systemd
import Testing

@testable import PoddCore

@Suite(.timeLimit(.minutes(10))) struct ClientConnectionsTests {
  @Test(arguments: [
    "", "192.0.2.1", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:x", "2001:db8::1:443",
    "[2001:db8::1]", "[192.0.2.1]:443", "[2001:db8::1:443", "[]:443", ":443", "localhost:443",
    "192.0.2.1:443 ", "192.0.2.1:+443",
  ])
  func whatIsNoPeerIsRefused(text: String) {
    #expect(ClientConnections.Peer(text) == nil)
  }

  @Test func aPeerIsAnAddressWithAPort() throws {
    let peer = try #require(ClientConnections.Peer("192.0.2.1:443"))
    #expect(
      peer.port == 443 && peer.address == [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 192, 0, 2, 1])
    let other = try #require(ClientConnections.Peer("[2001:db8::1]:4001"))
    #expect(other.port == 4001 && other.address.prefix(4) == [0x20, 0x01, 0x0D, 0xB8])
  }

  /// Two clients of one server, on IPv4 or IPv6: the one that is named loses its connection, the other one keeps it, and
  /// nobody loses one for a user who does not own the server's sockets.
  @Test(.enabled(if: mayDestroySockets), arguments: ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
  func theNamedClientLosesItsConnectionAndNobodyElse(address: String) throws {
    let server = try Listener(address)
    let first = try server.connect()
    let second = try server.connect()
    let peer = try #require(ClientConnections.Peer(first.peer))
    #expect(try ClientConnections.close([peer], of: getuid() &+ 1) == 0)
    #expect(first.isOpen && second.isOpen)
    let nobody = try #require(ClientConnections.Peer("127.0.0.1:1"))
    #expect(try ClientConnections.find([nobody, peer], of: getuid()) == [false, true])
    #expect(try ClientConnections.find([nobody, peer], of: getuid() &+ 1) == [false, false])
    #expect(try ClientConnections.close([peer], of: getuid()) == 1)
    #expect(!first.isOpen && second.isOpen)
    #expect(try ClientConnections.close([peer], of: getuid()) == 0)
    #expect(try ClientConnections.find([peer], of: getuid()) == [false])
  }

  /// As root of the network namespace, on a kernel with CONFIG_INET_DIAG_DESTROY.
  static var mayDestroySockets: Bool {
    guard geteuid() == 0, let server = try? Listener("127.0.0.1"), let pair = try? server.connect(),
      let peer = ClientConnections.Peer(pair.peer)
    else { return false }
    return (try? ClientConnections.close([peer], of: getuid())) != nil
  }
}

/// A server on a free port of an address; `::ffff:127.0.0.1` is a socket for IPv6 that an IPv4 client uses.
private struct Listener: ~Copyable {
  private let socket: CInt
  private let address: String

  init(_ address: String) throws {
    self.address = address
    let isIPv6 = address.contains(":")
    socket = Glibc.socket(isIPv6 ? AF_INET6 : AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    let listener = socket
    let isBound = withName { bind(listener, $0, $1) } == 0
    try #require(listener >= 0 && isBound && listen(listener, 8) == 0)
  }

  deinit { close(socket) }

  /// The two ends of one connection.
  struct Pair {
    let server: CInt
    let client: CInt
    /// The client's end.
    let peer: String

    var isOpen: Bool {
      var byte: UInt8 = 0
      return recv(server, &byte, 1, CInt(MSG_PEEK) | CInt(MSG_DONTWAIT)) < 0 && errno == EAGAIN
    }
  }

  func connect() throws -> Pair {
    let client = Glibc.socket(address.contains(":") ? AF_INET6 : AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    guard let port = port(of: socket) else { throw CancellationError() }
    let connected = withName(port: port) { Glibc.connect(client, $0, $1) }
    try #require(connected == 0)
    let server = accept(socket, nil, nil)
    try #require(server >= 0)
    guard let own = self.port(of: client) else { throw CancellationError() }
    let host = address.contains(":") ? address == "::1" ? "[::1]" : "127.0.0.1" : address
    return Pair(server: server, client: client, peer: "\(host):\(own)")
  }

  private func port(of socket: CInt) -> UInt16? {
    var name = sockaddr_in6()
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    let result = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) }
    }
    // The port has the same place in both families.
    return result == 0 ? UInt16(bigEndian: name.sin6_port) : nil
  }

  private func withName<Result>(port: UInt16 = 0, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result)
    -> Result
  {
    if address.contains(":") {
      var name = sockaddr_in6()
      name.sin6_family = sa_family_t(AF_INET6)
      name.sin6_port = port.bigEndian
      inet_pton(AF_INET6, address, &name.sin6_addr)
      return withUnsafePointer(to: &name) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
        }
      }
    }
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    inet_pton(AF_INET, address, &name.sin_addr)
    return withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
}
