/// Who gives memory up when the host, or pods.slice with a limit of its own, runs short, and in which order. One act
/// at a time: after each the caller looks again, so that nobody more than needed gives anything up.
///
/// Only idle pods are taken from, the lowest tier first and within it the one that has been idle longest. What can be
/// reclaimed is reclaimed from all of them before anybody is frozen or stopped. A pod that uses no more than its
/// MemoryLow= is left alone, and so is one that is busy.
public struct Shortage: Sendable, Equatable {
  /// A pod that was active so recently may be in the middle of something, microseconds.
  public static let leastIdle: UInt64 = 10_000_000
  /// The shortage is over when it has not been felt for so long.
  public static let calmAfter: UInt64 = 5_000_000
  /// One pod is asked to reclaim this often at most, and not for less than so many bytes.
  static let reclaimPause: UInt64 = 60_000_000
  static let leastReclaim: UInt64 = 1 << 20
  /// While memory is short, it is called short at half the pressure and at a quarter more that is available.
  private static let easing = (pressure: 0.5, available: 1.25)

  private struct Episode: Equatable, Sendable {
    var since: UInt64
    var acts = 0
    var lastFelt: UInt64
  }

  /// A pod that was woken after it had slept for others is not put to sleep again at once: it has to be idle for twice as
  /// long each time, up to 64 times, until it was left alone for so long, microseconds.
  static let forgets: UInt64 = 3_600_000_000
  private static let mostDoublings = 6

  private struct Sleep: Equatable, Sendable {
    var at: UInt64
    /// How often it was woken after one.
    var returns: Int
  }

  private var episode: Episode?
  private var sleeps: [PodName: Sleep] = [:]
  private var reclaimedAt: [PodName: UInt64] = [:]
  /// Not every freeze comes about: who could not be frozen is stopped.
  private var frozenAt: [PodName: UInt64] = [:]

  public init() {}

  /// When the shortage began, by the caller's clock; nil while there is none.
  public var since: UInt64? { episode?.since }

  /// - Parameter candidates: All pods that run or are frozen, in any order; asked for only when memory is short.
  public mutating func next(
    host: Level, pods: Level?, candidates: () -> [Candidate], policy: Policy, now: UInt64
  ) -> Verdict {
    let isShort = [host, pods].contains { level in
      level.map { Self.isShort($0, policy, isEasing: episode != nil) } ?? false
    }
    guard policy.action > .none, isShort else { return rest(now) }
    var current = episode ?? Episode(since: now, lastFelt: now)
    current.lastFelt = now
    defer { episode = current }
    // The OOM killer may come before small gifts have added up.
    let isUrgent = [host, pods].contains { level in level.map { Self.isUrgent($0, policy) } ?? false }
    let reclaims = !isUrgent || policy.action == .reclaim
    guard let (candidate, act) = choose(candidates(), policy.action, current.since, reclaims, now) else {
      return .watch(isStuck: true)
    }
    current.acts += 1
    if act != .stop { reclaimedAt[candidate.pod] = now }
    if act == .freeze { frozenAt[candidate.pod] = now }
    if act == .freeze || act == .stop {
      sleeps[candidate.pod] = Sleep(at: now, returns: returns(candidate, now))
    }
    return .act(
      Step(
        pod: candidate.pod, act: act, order: current.acts, idleUSec: now - (candidate.idleSince ?? now),
        host: host, pods: pods))
  }

  private mutating func rest(_ now: UInt64) -> Verdict {
    guard let episode else { return .calm }
    guard now >= episode.lastFelt + Self.calmAfter else { return .watch(isStuck: false) }
    self.episode = nil
    reclaimedAt = reclaimedAt.filter { $0.value + Self.reclaimPause > now }
    frozenAt = frozenAt.filter { $0.value + Self.reclaimPause > now }
    sleeps = sleeps.filter { $0.value.at + Self.forgets > now }
    return .over(acts: episode.acts, lasted: episode.lastFelt - episode.since)
  }

  private static func isShort(_ level: Level, _ policy: Policy, isEasing: Bool) -> Bool {
    let floor = Double(level.total) * policy.availableMin * (isEasing ? easing.available : 1)
    let limit = policy.pressureLimit * (isEasing ? easing.pressure : 1)
    let available = Double(level.available)
    return available < floor && level.stall >= limit || available < floor / 2
  }

  private static func isUrgent(_ level: Level, _ policy: Policy) -> Bool {
    Double(level.available) < Double(level.total) * policy.availableMin / 4
  }

  /// - Parameters:
  ///   - since: When this shortage began: each is asked to reclaim once in it, or with hundreds of pods the first would
  ///     have their turn again before anybody is stopped.
  private func choose(
    _ all: [Candidate], _ action: Action, _ since: UInt64, _ reclaims: Bool, _ now: UInt64
  ) -> (Candidate, Step.Act)? {
    let idle = Self.order(
      all.filter { candidate in
        candidate.current > candidate.memoryLow
          && candidate.idleSince.map { $0 + leastIdle(candidate, now) <= now } ?? false
      })
    let giver = idle.first { candidate in
      candidate.reclaimable >= Self.leastReclaim
        && reclaimedAt[candidate.pod].map { $0 < since && $0 + Self.reclaimPause <= now } ?? true
    }
    if reclaims, let giver { return (giver, .reclaim(giver.reclaimable)) }
    if action >= .freeze {
      // One that sleeps in swap gives next to nothing back.
      for candidate in idle where !(candidate.isFrozen && candidate.canSleepInSwap) {
        let isRefused = frozenAt[candidate.pod].map { $0 + Self.reclaimPause > now } ?? false
        if candidate.canSleepInSwap && !isRefused { return (candidate, .freeze) }
        if action >= .stop { return (candidate, .stop) }
      }
    }
    if action >= .stop, let frozen = idle.first { return (frozen, .stop) }
    return giver.map { ($0, .reclaim($0.reclaimable)) }
  }

  private func leastIdle(_ candidate: Candidate, _ now: UInt64) -> UInt64 {
    Self.leastIdle << UInt64(min(returns(candidate, now), Self.mostDoublings))
  }

  private func returns(_ candidate: Candidate, _ now: UInt64) -> Int {
    guard let last = sleeps[candidate.pod], last.at + Self.forgets > now else { return 0 }
    let wasWoken = candidate.idleSince.map { $0 > last.at } ?? true
    return last.returns + (wasWoken ? 1 : 0)
  }

  /// The order in which pods give memory up.
  static func order(_ idle: [Candidate]) -> [Candidate] {
    idle.sorted { left, right in
      (left.rank, left.idleSince ?? .max, left.pod) < (right.rank, right.idleSince ?? .max, right.pod)
    }
  }
}
