import Cgroup
import Linux
import PodModel
import Systemd
import Time

/// Counts the OOM kills in the slices of pods: a scope's own counters go with its cgroup, often before podd can read them,
/// and its slice's counters stay.
@LoopActor
final class SliceOOMs {
  /// What a slice has counted recently.
  struct Change {
    /// Whether the OOM killer took anything below the slice.
    let hasKilled: Bool
    /// Whether a member of the slice met a limit of its own.
    let metOwnLimit: Bool
  }

  private var slices: [String: Slice] = [:]
  /// Several scopes may have ended by what the slice counted at once: each of them gets the answer for this long.
  private static let lately: Microseconds = .seconds(10)

  /// A generation runs at `path`: from here on its slice is read.
  func begin(above path: String) {
    let name = Cgroup.parent(of: path)
    if slices[name].map({ $0.counts() == nil }) ?? true { slices[name] = Slice(name) }
  }

  /// The change in the slice of the scope at `path`; nil when it is not known.
  func change(above path: String) -> Change? {
    guard let slice = slices[Cgroup.parent(of: path)], let now = slice.counts() else { return nil }
    let time = EventLoop.main.now()
    if now != slice.known {
      if time >= slice.roseAt + Self.lately { slice.before = slice.known }
      (slice.known, slice.roseAt) = (now, time)
    } else if time >= slice.roseAt + Self.lately {
      slice.before = now
    }
    return Change(hasKilled: now.kills > slice.before.kills, metOwnLimit: now.members > slice.before.members)
  }

  /// Its files are kept open: an open(2) while systemd removes a member's cgroup may have to wait for that.
  @LoopActor
  private final class Slice {
    struct Counts: Equatable {
      var kills: UInt64
      /// `oom` is counted where the limit is and in every cgroup above (cgroup-v2.rst, memory.events): what the slice
      /// counts beyond its own events is its members'.
      var members: UInt64
    }

    private let all: CgroupFile
    private let own: CgroupFile
    var known = Counts(kills: 0, members: 0)
    /// The value of `known` before it rose last, and when podd saw it rise.
    var before = Counts(kills: 0, members: 0)
    var roseAt = LoopTime.zero

    init?(_ path: String) {
      guard let cgroup = try? Cgroup(path: path), let all = try? cgroup.open(InterfaceFile.memoryEvents),
        let own = try? cgroup.open(InterfaceFile.memoryEventsLocal)
      else { return nil }
      self.all = consume all
      self.own = consume own
      guard let counts = counts() else { return nil }
      known = counts
      before = counts
    }

    /// Nil when the slice is gone.
    func counts() -> Counts? {
      guard let all = Self.read(all), let own = Self.read(own) else { return nil }
      return Counts(kills: all.kills, members: all.ooms - min(own.ooms, all.ooms))
    }

    private static func read(_ file: borrowing CgroupFile) -> (ooms: UInt64, kills: UInt64)? {
      var found: (ooms: UInt64, kills: UInt64) = (0, 0)
      let isThere = try? file.read { text in
        CgroupFiles.eachPair(text) { key, value in
          if key.elementsEqual("oom".utf8) { found.ooms = value }
          if key.elementsEqual("oom_kill".utf8) { found.kills = value }
          return true
        }
        return !text.isEmpty
      }
      return isThere == true ? found : nil
    }
  }
}
