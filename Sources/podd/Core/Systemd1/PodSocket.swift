import CLinux
import Glibc
import PodModel
import PodStore
import Systemd

/// The system calls on the socket that podd holds at a pod's address and port.
@LoopActor
enum PodSocket {
  /// How many connections may wait in one socket's accept queue.
  static let backlog: CInt = 4096

  /// Bound, and not listening: connections are refused, and nobody else can listen there.
  static func bind(_ pod: PodRecord) throws(Errno) -> FileDescriptor {
    let raw = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard raw >= 0 else { throw Errno.last("socket") }
    let socket = FileDescriptor(owning: raw)
    // Closed connections of the pod, which the kernel remembers for a minute, must not be in the way.
    try share(raw, true)
    // podd creates the socket, so it belongs to podd's cgroup, and the scope's IPAddressDeny= does not apply
    // to it. Its own filter admits the front address only, and the pod cannot remove it.
    guard let source = ipv4(pod.frontAddress), let local = ipv4(pod.address) else {
      throw Errno(EINVAL, "address")
    }
    let filtered = linux_accept_only_from(raw, source)
    if filtered < 0 { throw Errno(filtered, "attach filter") }
    try mark(raw)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = in_port_t(pod.port).bigEndian
    name.sin_addr.s_addr = local
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.bind(raw, $0, size) }
    }
    guard bound == 0 else { throw Errno.last("bind \(pod.address):\(pod.port)") }
    try share(raw, false)
    return socket
  }

  /// Connections wait in its queue from now on.
  static func listen(_ raw: CInt) throws(Errno) {
    try share(raw, true)
    guard Glibc.listen(raw, backlog) == 0 else { throw Errno.last("listen") }
  }

  static func isListening(_ raw: CInt) -> Bool { linux_is_listener(raw) == 1 }

  /// Connections are refused from now on, also those that wait. The socket stays bound: shutdown(2) on a listening
  /// socket disconnects it, and a port that bind(2) was asked for is kept. It concerns every copy.
  static func refuse(_ raw: CInt) {
    shutdown(raw, CInt(SHUT_RDWR))
    try? share(raw, false)
  }

  /// Closes it. A copy that systemd has not closed yet does not keep a program from the port if it sets SO_REUSEADDR.
  static func close(_ raw: CInt) {
    shutdown(raw, CInt(SHUT_RDWR))
    try? share(raw, true)
    Glibc.close(raw)
  }

  /// What a program can change and all holders share, as in a new socket: the next program must not get what the last
  /// one left. systemd does the same when it starts a service (NonBlocking=, systemd.service(5)).
  static func renew(_ raw: CInt) {
    _ = fcntl(raw, F_SETFL, 0)
    var never = timeval()
    for name in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(raw, SOL_SOCKET, name, &never, socklen_t(MemoryLayout<timeval>.size))
    }
    var linger = Glibc.linger(l_onoff: 0, l_linger: 0)
    setsockopt(raw, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
    var zero: CInt = 0
    let size = socklen_t(MemoryLayout<CInt>.size)
    for name in [SO_KEEPALIVE, SO_OOBINLINE] { setsockopt(raw, SOL_SOCKET, name, &zero, size) }
    for name in [TCP_DEFER_ACCEPT, TCP_NODELAY, TCP_CORK] {
      setsockopt(raw, CInt(IPPROTO_TCP), name, &zero, size)
    }
    Glibc.listen(raw, backlog)
  }

  /// By this mark the packet filter knows podd's listening sockets; false: it had none.
  @discardableResult
  static func mark(_ raw: CInt) throws(Errno) -> Bool {
    var mark: UInt32 = 0
    var size = socklen_t(MemoryLayout<UInt32>.size)
    guard getsockopt(raw, SOL_SOCKET, SO_MARK, &mark, &size) == 0 else { throw Errno.last("SO_MARK") }
    if mark == PacketFilter.listenMark { return true }
    mark = PacketFilter.listenMark
    guard setsockopt(raw, SOL_SOCKET, SO_MARK, &mark, size) == 0 else { throw Errno.last("SO_MARK") }
    return false
  }

  /// Whether other sockets may be bound to the same port while this one does not listen, if they allow it too.
  private static func share(_ raw: CInt, _ isShared: Bool) throws(Errno) {
    var value: CInt = isShared ? 1 : 0
    guard setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &value, socklen_t(MemoryLayout<CInt>.size)) == 0 else {
      throw Errno.last("SO_REUSEADDR")
    }
  }

  /// Whether no socket of the host has the port, at any address. Connections that were closed do not count.
  nonisolated static func isFree(port: Int) -> Bool {
    let raw = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    // Not the port's fault: whatever is wrong, the launch says it.
    guard raw >= 0 else { return true }
    defer { Glibc.close(raw) }
    var one: CInt = 1
    setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<CInt>.size))
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = in_port_t(port).bigEndian
    let bound = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.bind(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    // A socket that allows sharing and does not listen is noticed by listen(2) alone.
    return bound == 0 ? Glibc.listen(raw, 1) == 0 || errno != EADDRINUSE : errno != EADDRINUSE
  }
}
