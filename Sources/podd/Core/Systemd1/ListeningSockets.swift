import CLinux
import Glibc
import PodModel
import PodStore
import Systemd

/// The sockets that podd holds at the pods' addresses: listening ones, so that no connection is refused while a pod is
/// replaced, and ones that are only bound, so that nobody else takes the port of a pod that does not run. Listening ones
/// live in systemd's descriptor store across podd's own restarts.
@LoopActor
final class ListeningSockets {
  private var sockets: [PodName: CInt] = [:]
  /// The pods whose socket is bound and not in systemd's store.
  private var unkept: Set<PodName> = []
  /// The pods whose socket was made by a podd that did not limit what pods do with it: the next launch has a new one.
  private var unguarded: Set<PodName> = []
  private var hasReportedGuard = false

  /// Takes over the sockets that systemd kept. Sockets of unknown pods are closed and removed from the store.
  func restore(_ passed: [(name: String, descriptor: CInt)], known: (PodName) -> Bool) {
    for (name, descriptor) in passed {
      if let pod = PodName(name), known(pod), sockets[pod] == nil {
        takeOver(descriptor, of: pod)
      } else {
        close(descriptor)
        Notify.unstore(name: name)
      }
    }
  }

  private func takeOver(_ raw: CInt, of pod: PodName) {
    sockets[pod] = raw
    do throws(Errno) {
      if !(try PodSocket.mark(raw)) { unguarded.insert(pod) }
    } catch {
      Log.warning("\(pod): its listening socket cannot be marked: \(error)")
    }
  }

  /// Whether podd has the pod's listening socket.
  func holds(_ pod: PodName) -> Bool { sockets[pod].map(PodSocket.isListening) ?? false }

  /// The pod's listening socket, bound now if podd does not have it yet. It stays podd's; ``keep(_:)`` follows the
  /// launch.
  func socket(for pod: PodRecord) throws(LaunchFailure) -> CInt {
    if let held = sockets[pod.name] {
      if !unguarded.contains(pod.name) {
        if PodSocket.isListening(held) { return held }
        do throws(Errno) {
          try PodSocket.listen(held)
          return held
        } catch {
          Log.debug("\(pod.name): \(error), so it gets a new socket")
        }
      }
      drop(pod.name)
    }
    let raw = try bind(pod)
    do throws(Errno) {
      try PodSocket.listen(raw)
      return raw
    } catch {
      drop(pod.name)
      throw LaunchFailure(stage: .socket, error)
    }
  }

  /// Keeps the port of a pod whose program does not run. Does nothing where podd has a socket of the pod.
  func reserve(_ pod: PodRecord) throws(LaunchFailure) {
    if sockets[pod.name] == nil { _ = try bind(pod) }
  }

  private func bind(_ pod: PodRecord) throws(LaunchFailure) -> CInt {
    do throws(Errno) {
      try BindGuard.coverOwnSockets()
    } catch {
      if !hasReportedGuard {
        Log.error("The kernel does not let podd limit what pods bind, so none is launched: \(error)")
      }
      hasReportedGuard = true
      throw LaunchFailure(stage: .firewall, error)
    }
    do throws(Errno) {
      let raw = try PodSocket.bind(pod).release()
      sockets[pod.name] = raw
      unkept.insert(pod.name)
      return raw
    } catch {
      throw LaunchFailure(stage: .socket, error)
    }
  }

  /// Puts the pod's socket into systemd's store. To be called after the launch: PID 1 is busy with the scope
  /// before, and an unfinished launch does not survive podd anyway.
  func keep(_ pod: PodName) {
    guard let raw = sockets[pod], PodSocket.isListening(raw), unkept.remove(pod) != nil else { return }
    store(pod, raw)
  }

  /// For the first process of a generation: undoes what an earlier program has done to the pod's socket. Not to be
  /// called while another program uses it.
  func renew(_ pod: PodName) {
    if let raw = sockets[pod] { PodSocket.renew(raw) }
  }

  /// From now on connections are refused, and podd keeps the port. Not to be called while the pod runs, because its
  /// program's copy is shut down, too.
  func refuse(_ pod: PodName) {
    if let raw = sockets[pod], PodSocket.isListening(raw) { PodSocket.refuse(raw) }
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
      takeOver(copy, of: pod)
      store(pod, copy)
      return
    }
  }

  /// Gives the port up: for the pod's program, which binds it by itself, or because the pod is gone. Not to be called
  /// while the pod runs, because its program's copy is shut down, too.
  func drop(_ pod: PodName) {
    guard let raw = sockets.removeValue(forKey: pod) else { return }
    unguarded.remove(pod)
    PodSocket.close(raw)
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
    for _ in 0..<PodSocket.backlog where FileDescriptor.isReadable(raw) {
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
