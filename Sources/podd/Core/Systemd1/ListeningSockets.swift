import CLinux
import Glibc
import PodModel
import Systemd

/// The listening sockets that podd holds for pods, so that no connection is refused while a pod is
/// replaced. They live in systemd's descriptor store across podd's own restarts.
@LoopActor
final class ListeningSockets {
  /// How many connections may wait in one socket's accept queue.
  private static let backlog: CInt = 4096

  private var sockets: [PodName: CInt] = [:]
  /// The pods whose socket is bound and not yet in systemd's store.
  private var unkept: Set<PodName> = []

  /// Takes over the sockets that systemd kept. Sockets of unknown pods are closed and removed from the store.
  func restore(_ passed: [(name: String, descriptor: CInt)], known: (PodName) -> Bool) {
    for (name, descriptor) in passed {
      if let pod = PodName(name), known(pod), sockets[pod] == nil {
        sockets[pod] = descriptor
      } else {
        close(descriptor)
        Notify.unstore(name: name)
      }
    }
  }

  /// Whether podd has the pod's socket.
  func holds(_ pod: PodName) -> Bool { sockets[pod] != nil }

  /// The pod's socket, bound now if podd does not have it yet. It stays podd's; ``keep(_:)`` follows the
  /// launch.
  func socket(for pod: PodName, address: String, front: String, port: Int) throws(LaunchFailure) -> CInt {
    if let held = sockets[pod] {
      if linux_is_listener(held) == 1 { return held }
      // The program has shut the socket down, which concerns every copy: the next generation needs a new one.
      drop(pod)
    }
    do throws(Errno) {
      let bound = try Self.listen(address: address, front: front, port: port)
      let raw = bound.release()
      sockets[pod] = raw
      unkept.insert(pod)
      return raw
    } catch {
      throw LaunchFailure(stage: .socket, error)
    }
  }

  /// Puts the pod's socket into systemd's store. To be called after the launch: PID 1 is busy with the scope
  /// before, and an unfinished launch does not survive podd anyway.
  func keep(_ pod: PodName) {
    guard unkept.remove(pod) != nil, let raw = sockets[pod] else { return }
    store(pod, raw)
  }

  /// Takes a copy of a running pod's socket from the pod, when the store has lost it: systemd before 254
  /// empties the store when podd is stopped (facts 15).
  func recover(_ pod: PodName, pid: pid_t, address: String, port: Int) {
    guard sockets[pod] == nil, let inode = Self.listeningInode(address: address, port: port) else { return }
    guard let pidfd = try? PIDFD.open(pid) else { return }
    for number in Self.descriptors(of: pid) {
      guard Files.linkTarget("/proc/\(pid)/fd/\(number)") == "socket:[\(inode)]",
        let socket = try? PIDFD.descriptor(number, of: pidfd)
      else { continue }
      let copy = socket.release()
      sockets[pod] = copy
      store(pod, copy)
      return
    }
  }

  /// Closes the socket. From now on connections are refused, and the port can be bound again even before
  /// systemd has closed its copy. Not to be called while the pod runs, because its program's copy is shut
  /// down, too.
  func drop(_ pod: PodName) {
    guard let raw = sockets.removeValue(forKey: pod) else { return }
    shutdown(raw, CInt(SHUT_RDWR))
    close(raw)
    if unkept.remove(pod) == nil { Notify.unstore(name: pod.description) }
  }

  /// Resets one connection of the pod's accept queue.
  func dismissOne(_ pod: PodName) {
    // The socket is readable, and no other process accepts, so this does not block.
    guard let raw = sockets[pod], FileDescriptor.isReadable(raw) else { return }
    let connection = linux_accept(raw)
    if connection >= 0 { close(connection) }
  }

  /// Resets all connections of the pod's accept queue. Later ones queue again.
  func turnAway(_ pod: PodName) {
    guard let raw = sockets[pod] else { return }
    for _ in 0..<Self.backlog where FileDescriptor.isReadable(raw) {
      let connection = linux_accept(raw)
      guard connection >= 0 else { return }
      close(connection)
    }
  }

  private func store(_ pod: PodName, _ raw: CInt) {
    do throws(Errno) {
      try Notify.store(raw, name: pod.description)
    } catch {
      Log.warning("Cannot keep the listening socket of \(pod) across a restart of podd, ignoring: \(error)")
    }
  }

  // MARK: Binding

  private static func listen(address: String, front: String, port: Int) throws(Errno) -> FileDescriptor {
    let raw = Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard raw >= 0 else { throw Errno.last("socket") }
    let socket = FileDescriptor(owning: raw)
    var one: CInt = 1
    guard setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<CInt>.size)) == 0 else {
      throw Errno.last("SO_REUSEADDR")
    }
    // podd creates the socket, so it belongs to podd's cgroup, and the scope's IPAddressDeny= does not apply
    // to it. Its own filter admits the front address only, and the pod cannot remove it.
    guard let source = ipv4(front), let local = ipv4(address) else { throw Errno(EINVAL, "address") }
    let filtered = linux_accept_only_from(raw, source)
    if filtered < 0 { throw Errno(filtered, "attach filter") }
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = in_port_t(port).bigEndian
    name.sin_addr.s_addr = local
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(raw, $0, size) }
    }
    guard bound == 0 else { throw Errno.last("bind \(address):\(port)") }
    guard Glibc.listen(raw, backlog) == 0 else { throw Errno.last("listen") }
    return socket
  }

  // MARK: Finding a socket again

  private static func listeningInode(address: String, port: Int) -> String? {
    guard let ip = ipv4(address), let table = readSmallFile("/proc/net/tcp", limit: 16 << 20) else {
      return nil
    }
    // Column 2 is ADDRESS:PORT in hex of the raw word, column 4 the state (0A is LISTEN), column 10 the
    // inode.
    let wanted =
      padded(ip, toWidth: 8, radix: 16, uppercase: true) + ":"
      + padded(port, toWidth: 4, radix: 16, uppercase: true)
    for line in table.split(separator: "\n").dropFirst() {
      let fields = line.split(separator: " ")
      if fields.count > 9, fields[1] == wanted, fields[3] == "0A" { return String(fields[9]) }
    }
    return nil
  }

  private static func descriptors(of pid: pid_t) -> [CInt] {
    ((try? Files.names(in: "/proc/\(pid)/fd")) ?? []).compactMap { CInt($0) }
  }
}
