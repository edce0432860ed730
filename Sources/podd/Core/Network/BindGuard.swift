import Cgroup
import Glibc
import PodModel
import PodStore
import Systemd

/// A pod binds its own address and port, and no other: BPF programs on its scope, and on podd's own cgroup (decision
/// 0023). They stay when podd ends, and go with the cgroup.
@LoopActor
enum BindGuard {
  /// All pods' addresses and front addresses, 127.76.0.0 to 127.77.255.255.
  private static let network = (address: "127.76.0.0", prefixLength: 15)

  private static var coversOwnSockets = false

  /// For the sockets that podd itself creates, which belong to podd's cgroup: a pod can disconnect a connection that it
  /// has accepted on such a socket, and could then bind it to any port. To be called before the first one is created.
  static func coverOwnSockets() throws(Errno) {
    guard !coversOwnSockets else { return }
    guard let path = ProcessIdentity.cgroup(of: getpid()) else { throw Errno(ENOENT, "find podd's cgroup") }
    do throws(CgroupError) {
      try Cgroup(path: path).refuseBinds(uids: PodName.uids)
    } catch {
      throw error.errno
    }
    coversOwnSockets = true
  }

  /// For all sockets that are created in a pod's scope from now on.
  static func cover(_ scope: RunningScope, of pod: PodRecord) throws(Errno) {
    guard let address = ipv4(pod.address), let network = ipv4(network.address),
      let port = UInt16(exactly: pod.port)
    else { throw Errno(EINVAL, "address") }
    let length = self.network.prefixLength
    let result: Result<Void, CgroupError>? = scope.withCgroup { cgroup in
      Result { () throws(CgroupError) in
        try cgroup.limitBinds(to: address, port: port, network: network, prefixLength: length)
      }
    }
    do throws(CgroupError) {
      try result?.get()
    } catch {
      throw error.errno
    }
    if result == nil { throw Errno(ENOENT, "\(scope.unit)") }
  }

  /// Nil where the kernel does not say.
  static func covers(_ scope: RunningScope) -> Bool? {
    scope.withCgroup { cgroup throws(CgroupError) in try cgroup.limitsBinds }
  }
}

extension CgroupError {
  fileprivate var errno: Errno {
    switch self {
    case .gone(let path): Errno(ENOENT, path)
    case .io(let path, let code): Errno(code, path)
    case .malformed(let path, _): Errno(EPROTO, path)
    }
  }
}
