import Glibc
import Linux
import PodModel
import Systemd

/// A program of the host that listens at a port which a pod needs.
struct PortHolder: Sendable, Equatable, CustomStringConvertible {
  let pid: pid_t
  let program: String
  /// Nil where it is in no service or scope.
  let unit: String?

  /// `python3 (process 812 of agent.service)`
  var description: String { "\(program) (process \(pid)\(unit.map { " of \($0)" } ?? ""))" }

  /// Nil: nobody listens there but podd, or it cannot be found out. This reads the descriptors of all processes, so it
  /// is done off the loop.
  @LoopActor
  static func find(port: Int) async -> PortHolder? {
    do throws(Errno) {
      return try await BackgroundThread.run { () throws(Errno) in find(sockets: sockets(listeningAt: port)) }
    } catch {
      return nil
    }
  }

  /// The listening sockets at the port, at any address.
  private static func sockets(listeningAt port: Int) -> Set<String> {
    var found: Set<String> = []
    for name in ["tcp", "tcp6"] {
      guard let table = readSmallFile("/proc/net/\(name)", limit: 16 << 20) else { continue }
      found.formUnion(SocketTable.listeners(in: table).filter { $0.port == port }.map(\.link))
    }
    return found
  }

  private static func find(sockets: Set<String>) -> PortHolder? {
    guard !sockets.isEmpty else { return nil }
    for name in (try? Files.names(in: "/proc")) ?? [] {
      guard let pid = pid_t(name), pid != getpid() else { continue }
      let directory = "/proc/\(pid)/fd"
      let has = ((try? Files.names(in: directory)) ?? []).contains {
        Files.linkTarget("\(directory)/\($0)").map(sockets.contains) ?? false
      }
      if has { return PortHolder(pid: pid) }
    }
    return nil
  }

  private init(pid: pid_t) {
    self.pid = pid
    // A program chooses its name.
    program = (readSmallFile("/proc/\(pid)/comm") ?? "a program").filter { $0 >= " " && $0.isASCII }
    let path = ProcessIdentity.cgroup(of: pid) ?? ""
    unit = path.split(separator: "/").last { $0.hasSuffix(".service") || $0.hasSuffix(".scope") }
      .map(String.init)
  }
}

extension LaunchFailure {
  /// Whether another program has the port.
  var isPortTaken: Bool { stage == .socket && error == "EADDRINUSE" }
}
