import Cgroup
import Systemd

/// How often the pods of each slice have met a limit of their own, by the slice's counters: a scope's go with its
/// cgroup, sometimes before podd can read them, and the slice's stay.
@LoopActor
final class SliceOOMs {
  private var known: [String: UInt64] = [:]

  /// A generation runs at `path`: from here on its slice is looked at.
  func begin(above path: String) {
    let slice = Self.slice(of: path)
    if known[slice] == nil { known[slice] = Self.ofMembers(slice) }
  }

  /// Whether the slice of the scope at `path` counts more of them than when this was last asked; nil when that is not
  /// known.
  func haveRisen(above path: String) -> Bool? {
    let slice = Self.slice(of: path)
    guard let now = Self.ofMembers(slice) else { return nil }
    defer { known[slice] = now }
    return known[slice].map { now > $0 }
  }

  private static func slice(of path: String) -> String {
    "/" + path.split(separator: "/").dropLast().joined(separator: "/")
  }

  /// `oom` is counted where the limit is and in all that is above (cgroup-v2.rst, memory.events): what the slice
  /// counts beyond its own is its members'.
  private static func ofMembers(_ slice: String) -> UInt64? {
    guard let cgroup = try? Cgroup(path: slice),
      let own = oom("memory.events.local", cgroup), let all = oom("memory.events", cgroup)
    else { return nil }
    return all - min(own, all)
  }

  private static func oom(_ file: String, _ cgroup: borrowing Cgroup) -> UInt64? {
    (try? cgroup.read(file)).flatMap { CgroupFiles.value(of: "oom", in: $0) }
  }
}
