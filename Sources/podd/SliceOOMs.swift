import Cgroup
import Glibc
import PodModel
import Systemd

/// What the slices of pods count of their members' OOM kills: a scope's own counters go with its cgroup, often before
/// podd can read them, and its slice's stay.
@LoopActor
final class SliceOOMs {
  /// What came lately.
  struct Change {
    /// Whether the OOM killer took anything below the slice.
    let hasKilled: Bool
    /// Whether a member of the slice met a limit of its own.
    let metOwnLimit: Bool
  }

  private var slices: [String: Slice] = [:]
  /// Several may have ended of what the slice counted at once: the first who asks leaves it for the others, for so long,
  /// microseconds.
  private static let lately: UInt64 = 10_000_000

  /// A generation runs at `path`: from here on its slice is looked at.
  func begin(above path: String) {
    let name = Self.slice(of: path)
    if slices[name].map({ $0.counts() == nil }) ?? true { slices[name] = Slice(name) }
  }

  /// Of the slice of the scope at `path`; nil when it is not known.
  func change(above path: String) -> Change? {
    guard let slice = slices[Self.slice(of: path)], let now = slice.counts() else { return nil }
    let time = EventLoop.main.now()
    if now != slice.known {
      if time >= slice.roseAt.after(Self.lately) { slice.before = slice.known }
      (slice.known, slice.roseAt) = (now, time)
    } else if time >= slice.roseAt.after(Self.lately) {
      slice.before = now
    }
    return Change(hasKilled: now.kills > slice.before.kills, metOwnLimit: now.members > slice.before.members)
  }

  private static func slice(of path: String) -> String {
    "/" + path.split(separator: "/").dropLast().joined(separator: "/")
  }

  /// Its files are kept open: who opens one while systemd removes a member's cgroup may have to wait for that.
  @LoopActor
  private final class Slice {
    struct Counts: Equatable {
      var kills: UInt64
      /// `oom` is counted where the limit is and in all that is above (cgroup-v2.rst, memory.events): what the slice
      /// counts beyond its own is its members'.
      var members: UInt64
    }

    private let all: FileDescriptor
    private let own: FileDescriptor
    var known = Counts(kills: 0, members: 0)
    /// What `known` was before it rose last, and when that was seen.
    var before = Counts(kills: 0, members: 0)
    var roseAt: UInt64 = 0

    init?(_ path: String) {
      guard let cgroup = try? Cgroup(path: path), let first = try? cgroup.openForEvents("memory.events")
      else {
        return nil
      }
      all = FileDescriptor(owning: first)
      guard let second = try? cgroup.openForEvents("memory.events.local") else { return nil }
      own = FileDescriptor(owning: second)
      guard let counts = counts() else { return nil }
      known = counts
      before = counts
    }

    /// Nil when the slice is gone.
    func counts() -> Counts? {
      guard let all = Self.read(all.raw), let own = Self.read(own.raw) else { return nil }
      return Counts(kills: all.kills, members: all.ooms - min(own.ooms, all.ooms))
    }

    private static func read(_ raw: CInt) -> (ooms: UInt64, kills: UInt64)? {
      withUnsafeTemporaryAllocation(byteCount: 512, alignment: 1) { buffer in
        let got = pread(raw, buffer.baseAddress, buffer.count, 0)
        guard got > 0 else { return nil }
        var found: (ooms: UInt64, kills: UInt64) = (0, 0)
        CgroupFiles.eachPair(UnsafeRawBufferPointer(rebasing: buffer[..<got])) { key, value in
          if key.elementsEqual("oom".utf8) { found.ooms = value }
          if key.elementsEqual("oom_kill".utf8) { found.kills = value }
          return true
        }
        return found
      }
    }
  }
}
