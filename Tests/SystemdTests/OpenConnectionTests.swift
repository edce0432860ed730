import CLinux
import Glibc
import Systemd
import Testing

/// `linux_tcp_connections` against the running kernel: what the server has not closed, and nothing else.
@Suite(.timeLimit(.minutes(10))) struct OpenConnectionTests {
  @Test(arguments: [AF_INET, AF_INET6])
  func connectionsAreFoundWithTheSocketThatWasAccepted(family: CInt) throws {
    let server = try Server(family)
    #expect(try server.connections() == [])
    let first = try server.connect()
    let accepted = try server.accept()
    #expect(try server.connections() == [try inode(of: accepted)])
    // The kernel has answered this one, the program has not seen it.
    let second = try server.connect()
    #expect(try server.connections() == [0, try inode(of: accepted)])
    keep(first, second)
  }

  @Test func aConnectionCountsUntilTheServerClosesIt() throws {
    let server = try Server(AF_INET)
    let halfClosed = try server.connect()
    do {
      let accepted = try server.accept()
      // CLOSE_WAIT: the client has sent all, and waits for the answer.
      #expect(shutdown(halfClosed.raw, CInt(SHUT_WR)) == 0)
      #expect(try server.connections() == [try inode(of: accepted)])
    }
    try server.waitUntilNoConnectionCounts()

    let open = try server.connect()
    do { _ = try server.accept() }
    // FIN_WAIT2: the client has not closed, the server has.
    try server.waitUntilNoConnectionCounts()
    keep(open)
  }

  @Test(arguments: [true, false])
  func whatHasEndedIsRememberedWhoeverClosedFirst(byServer: Bool) throws {
    let server = try Server(AF_INET)
    #expect(try server.ended().isEmpty)
    let port = try end(server, byServer: byServer)
    let ended = try server.ended()
    #expect(ended.map(\.remote_port) == [port])
    #expect(ended.allSatisfy { $0.local_port == server.port && $0.ended_ago < 60_000 })
    #expect(try server.connections() == [])
  }

  private func end(_ server: borrowing Server, byServer: Bool) throws -> UInt16 {
    let client = try server.connect()
    let port = try localPort(of: client.raw)
    let accepted = try server.accept()
    let (first, second) = byServer ? (accepted.raw, client.raw) : (client.raw, accepted.raw)
    for end in [first, second] { try #require(shutdown(end, CInt(SHUT_RDWR)) == 0) }
    keep(client, accepted)
    return port
  }

  @Test func aHandshakeUnderWayCounts() throws {
    // With TCP_DEFER_ACCEPT it stays in SYN_RECV until the client has sent something.
    let server = try Server(AF_INET, option: (CInt(IPPROTO_TCP), TCP_DEFER_ACCEPT, 30))
    let client = try server.connect()
    #expect(try server.connections() == [0])
    keep(client)
  }

  @Test func otherAddressesAndPortsDoNotCount() throws {
    let server = try Server(AF_INET6)
    let client = try server.connect(to: "127.77.0.2")
    #expect(try server.connections(at: "127.77.0.1") == [])
    #expect(try server.connections(at: "127.77.0.2") == [0])
    #expect(try Server(AF_INET).connections(at: "127.77.0.2") == [])
    keep(client)
  }

  @Test func anAnswerInManyPartsIsReadToItsEnd() throws {
    // A part holds some 300 connections.
    let server = try Server(AF_INET)
    var clients: [CInt] = []
    defer { for client in clients { close(client) } }
    for _ in 0..<400 { clients.append(try server.connect().release()) }
    #expect(try server.connections().count == 400)
  }
}

/// A listening socket at 127.77.0.1, or for `AF_INET6` at every address.
private struct Server: ~Copyable {
  let socket: FileDescriptor
  let port: UInt16

  init(_ family: CInt, option: (level: CInt, name: CInt, value: CInt)? = nil) throws {
    let socket = try streamSocket(family)
    let raw = socket.raw
    if let option { try #require(set(raw, option)) }
    if family == AF_INET {
      let bound = withAddress("127.77.0.1", 0) { bind(raw, $0, $1) }
      try #require(bound == 0)
    } else {
      // Without an address of its own, listen(2) binds it to ::.
      try #require(set(raw, (CInt(IPPROTO_IPV6), IPV6_V6ONLY, 0)))
    }
    try #require(listen(raw, 1024) == 0)
    self.port = try localPort(of: raw)
    self.socket = socket
  }

  func connect(to address: String = "127.77.0.1") throws -> FileDescriptor {
    let client = try streamSocket(AF_INET)
    let done = withAddress(address, port) { Glibc.connect(client.raw, $0, $1) }
    try #require(done == 0)
    return client
  }

  func accept() throws -> FileDescriptor {
    // Close-on-exec: a process that another test starts meanwhile must not keep the connection open.
    let accepted = linux_accept(socket.raw)
    try #require(accepted >= 0)
    return FileDescriptor(owning: accepted)
  }

  /// Connections that have ended.
  func ended() throws -> [linux_tcp_connection] {
    try list(linux_tcp_ended_connections, "127.77.0.1")
  }

  /// The inodes of the connections, sorted.
  func connections(at address: String = "127.77.0.1") throws -> [UInt32] {
    try list(linux_tcp_connections, address).map(\.inode).sorted()
  }

  /// A process that another test starts has a copy of each descriptor until it runs its program: close-on-exec, not
  /// close-on-fork. The suite's time limit ends a wait in vain.
  func waitUntilNoConnectionCounts() throws {
    while try !connections().isEmpty {
      try Task.checkCancellation()
      sched_yield()
    }
  }

  private typealias Found =
    @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<linux_tcp_connection>?) -> Void

  private func list(
    _ walk: (UInt32, UInt8, UInt16, Found?, UnsafeMutableRawPointer?) -> CInt, _ address: String
  ) throws -> [linux_tcp_connection] {
    var found: [linux_tcp_connection] = []
    let result = withUnsafeMutablePointer(to: &found) {
      walk(
        inet_addr(address), 32, port,
        { list, connection in
          if let connection {
            list?.assumingMemoryBound(to: [linux_tcp_connection].self).pointee.append(connection.pointee)
          }
        }, $0)
    }
    try #require(result == 0)
    return found
  }
}

private func streamSocket(_ family: CInt) throws -> FileDescriptor {
  let raw = socket(family, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
  try #require(raw >= 0)
  return FileDescriptor(owning: raw)
}

private func set(_ socket: CInt, _ option: (level: CInt, name: CInt, value: CInt)) -> Bool {
  var value = option.value
  return setsockopt(socket, option.level, option.name, &value, socklen_t(MemoryLayout<CInt>.size)) == 0
}

private func withAddress(_ text: String, _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt)
  -> CInt
{
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = inet_addr(text)
  return withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
}

/// Both families keep it at the same place.
private func localPort(of socket: CInt) throws -> UInt16 {
  var address = sockaddr_in6()
  var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
  let result = withUnsafeMutablePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &size) }
  }
  try #require(result == 0)
  return UInt16(bigEndian: address.sin6_port)
}

private func inode(of socket: borrowing FileDescriptor) throws -> UInt32 {
  var status = stat()
  try #require(fstat(socket.raw, &status) == 0)
  return UInt32(status.st_ino)
}

/// Until here they stay open.
private func keep(_ first: borrowing FileDescriptor) {}
private func keep(_ first: borrowing FileDescriptor, _ second: borrowing FileDescriptor) {}
