public import Time

/// Decides which pods give up memory, and in which order, when the host or a pods.slice with its own limit runs short.
/// It decides one action at a time: the caller samples again after each, so that no pod gives up more than needed.
///
/// Only idle pods give up memory: the lowest tier first, and within a tier the pod that has been idle longest. Page
/// cache is reclaimed from all of them before any pod is frozen or stopped. A busy pod is left alone, and so is a pod
/// that uses no more than its MemoryLow=.
public struct Shortage: Sendable, Equatable {
  /// A pod must have been idle for this long: a pod that was active more recently may still be at work.
  public static let leastIdle: Microseconds = .seconds(10)
  /// The shortage ends when memory has not been short for this long.
  public static let calmAfter: Microseconds = .seconds(5)
  /// Shortest time between two reclaims from one pod, and the fewest bytes that are worth a reclaim.
  static let reclaimPause: Microseconds = .minutes(1)
  static let leastReclaim: UInt64 = 1 << 20
  /// A shortage lasts until pressure falls below half its limit and 1.25 times the minimum is available again.
  private static let easing = (pressure: 0.5, available: 1.25)

  private struct Episode: Equatable, Sendable {
    var since: LoopTime
    var acts = 0
    var lastFelt: LoopTime
  }

  /// A pod that was put to sleep in a shortage and woken again must be idle for twice as long before it sleeps again,
  /// up to 64 times as long. This is forgotten when the pod was not put to sleep for this long.
  static let forgets: Microseconds = .hours(1)
  private static let mostDoublings = 6

  private struct Sleep: Equatable, Sendable {
    var at: LoopTime
    /// How often the pod was woken after such a sleep.
    var returns: Int
  }

  private var episode: Episode?
  private var sleeps: [PodName: Sleep] = [:]
  private var reclaimedAt: [PodName: LoopTime] = [:]
  /// A freeze can fail. A pod that could not be frozen is stopped.
  private var frozenAt: [PodName: LoopTime] = [:]

  public init() {}

  /// When the shortage began; nil while there is none.
  public var since: LoopTime? { episode?.since }

  /// Decides the next action.
  ///
  /// - Parameter candidates: All pods that run or are frozen, in any order; called only when memory is short.
  public mutating func next(
    host: Level, pods: Level?, candidates: () -> [Candidate], policy: Policy, now: LoopTime
  ) -> Verdict {
    let isShort = [host, pods].contains { level in
      level.map { Self.isShort($0, policy, isEasing: episode != nil) } ?? false
    }
    guard policy.action > .none, isShort else { return rest(now) }
    var current = episode ?? Episode(since: now, lastFelt: now)
    current.lastFelt = now
    defer { episode = current }
    // Small reclaims add up too slowly: the OOM killer may act first.
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
        pod: candidate.pod, act: act, order: current.acts, idle: now - (candidate.idleSince ?? now),
        host: host, pods: pods))
  }

  private mutating func rest(_ now: LoopTime) -> Verdict {
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
  ///   - since: When this shortage began. Each pod reclaims once in it; otherwise, with hundreds of pods, the first
  ///     would reclaim again before any pod is stopped.
  private func choose(
    _ all: [Candidate], _ action: Action, _ since: LoopTime, _ reclaims: Bool, _ now: LoopTime
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
      // A frozen pod whose memory is in swap gives almost nothing back.
      for candidate in idle where !(candidate.isFrozen && candidate.canSleepInSwap) {
        let isRefused = frozenAt[candidate.pod].map { $0 + Self.reclaimPause > now } ?? false
        if candidate.canSleepInSwap && !isRefused { return (candidate, .freeze) }
        if action >= .stop { return (candidate, .stop) }
      }
    }
    if action >= .stop, let frozen = idle.first { return (frozen, .stop) }
    return giver.map { ($0, .reclaim($0.reclaimable)) }
  }

  private func leastIdle(_ candidate: Candidate, _ now: LoopTime) -> Microseconds {
    Self.leastIdle * (1 << min(returns(candidate, now), Self.mostDoublings))
  }

  private func returns(_ candidate: Candidate, _ now: LoopTime) -> Int {
    guard let last = sleeps[candidate.pod], last.at + Self.forgets > now else { return 0 }
    let wasWoken = candidate.idleSince.map { $0 > last.at } ?? true
    return last.returns + (wasWoken ? 1 : 0)
  }

  /// The order in which pods give memory up.
  static func order(_ idle: [Candidate]) -> [Candidate] {
    idle.sorted { left, right in
      (left.rank, left.idleSince ?? .never, left.pod) < (right.rank, right.idleSince ?? .never, right.pod)
    }
  }
}
