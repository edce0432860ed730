public import Time

/// What becomes of a pod that nobody uses (`IdleFreezeSec=` and `IdleStopSec=` of a tier). Use is a user's connection:
/// podd's own probes are none, and neither is what a program does without being asked.
public struct IdlePolicy: Sendable, Equatable {
  public enum Act: String, Sendable, CaseIterable { case freeze, stop }

  /// Zero means never.
  public var freezeAfter: Microseconds
  /// Zero means never.
  public var stopAfter: Microseconds

  public init(freezeAfter: Microseconds, stopAfter: Microseconds) {
    self.freezeAfter = freezeAfter
    self.stopAfter = stopAfter
  }

  public init(_ tier: Tier) {
    self.init(freezeAfter: tier.idleFreeze, stopAfter: tier.idleStop)
  }

  /// What is done next to a pod in `state` if nobody uses it, and when; nil: nothing. A frozen pod keeps its memory, and is
  /// stopped when the longer time is over too.
  public func next(_ state: PodState, usedAt: LoopTime) -> (act: Act, at: LoopTime)? {
    let stop = stopAfter == .zero ? nil : (act: Act.stop, at: usedAt + stopAfter)
    switch state {
    case .ready:
      guard freezeAfter != .zero, stopAfter == .zero || freezeAfter < stopAfter else { return stop }
      return (.freeze, usedAt + freezeAfter)
    case .frozen: return stop
    case .cold, .starting, .draining, .stopping, .backoff, .crashLoop, .stopped: return nil
    }
  }

  /// What is due now; nil: nothing. The connections that are open now have to be noted in `idleness` before.
  public func due(_ state: PodState, _ idleness: Idleness, now: LoopTime) -> Act? {
    guard let next = next(state, usedAt: idleness.usedAt), next.at <= now else { return nil }
    // podd may have looked late.
    return stopAfter != .zero && now >= idleness.usedAt + stopAfter ? .stop : next.act
  }
}
