import Cgroup
import Glibc
import Linux
import PodModel
import PodStore
import Systemd

/// The scopes of generations in the kernel's cgroup tree, whoever has them on record and whatever PID 1 knows of them.
/// Only what lies below pods.slice counts: a unit elsewhere may be named as it likes.
@LoopActor
enum LiveScopes {
  static let root = "/sys/fs/cgroup\(ControlGroup.pods)"

  /// Their cgroup paths, by unit.
  static func paths() -> [UnitName: String] {
    var found: [UnitName: String] = [:]
    for slice in (try? Files.names(in: root)) ?? [] where ControlGroup.isPodsSlice(slice) {
      for name in (try? Files.names(in: "\(root)/\(slice)")) ?? [] {
        if let unit = UnitName(name) { found[unit] = "\(ControlGroup.pods)/\(slice)/\(name)" }
      }
    }
    return found
  }

  /// Those in which a process lives.
  static func populated() -> [UnitName: String] {
    paths().filter { CgroupEvents.isPopulated($0.value) }
  }

  /// Those in which a process runs as the user of that very pod: podd has launched them, with this database or with
  /// another one. A scope that somebody made by hand has no such process.
  static func launched() -> [UnitName] {
    populated().filter { unit, path in
      let uid = uid_t(unit.pod.uid)
      guard let text = try? Cgroup(path: path).read(InterfaceFile.processes) else { return false }
      return text.split(separator: "\n").contains {
        pid_t($0).flatMap(ProcessIdentity.owner(of:)) == uid
      }
    }.keys.sorted()
  }
}
