import PodAPI
import Time

/// Which denied calls are written to the journal: for each user and action one entry in a time, so that nobody who may do
/// nothing fills the journal, or spends podd's share of journald's rate limit.
struct Denials {
  static let interval: Microseconds = .seconds(10)
  /// Users beyond that are written down only when an earlier one is forgotten.
  static let mostKept = 256

  private struct Key: Hashable {
    let uid: UInt32
    let action: PolkitAction
  }

  private struct Seen {
    var writtenAt: LoopTime
    var omitted = 0
  }

  private var seen: [Key: Seen] = [:]

  /// Nil: no entry is written for this one. Otherwise how many such calls had no entry since the last one.
  mutating func count(_ uid: UInt32, _ action: PolkitAction, at now: LoopTime) -> Int? {
    let key = Key(uid: uid, action: action)
    if let earlier = seen[key], now < earlier.writtenAt + Self.interval {
      seen[key]?.omitted += 1
      return nil
    }
    let omitted = seen[key]?.omitted ?? 0
    if seen[key] == nil, seen.count >= Self.mostKept {
      seen = seen.filter { now < $0.value.writtenAt + Self.interval }
      guard seen.count < Self.mostKept else { return nil }
    }
    seen[key] = Seen(writtenAt: now)
    return omitted
  }
}
