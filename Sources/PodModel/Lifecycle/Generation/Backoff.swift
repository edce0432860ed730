public import Time

/// Pauses before the next attempt: the first one after the first failure, doubled with each further one up to a maximum.
public struct Backoff: Sendable, Equatable {
  /// Without the part that is added at random; zero after no failure.
  private var pause = Microseconds.zero

  public init() {}

  /// One more failure.
  ///
  /// - Parameter random: 0..<1. Up to a quarter is added by it, so that pods that ended together do not come back
  ///   together.
  /// - Returns: how long to wait.
  public mutating func next(_ policy: Lifecycle.Policy, random: Double) -> Microseconds {
    pause = pause == .zero ? policy.firstDelay : min(pause * 2, policy.maxDelay)
    return pause + pause.scaled(by: 0.25 * min(max(random, 0), 1))
  }

  /// It works: the next pause is the first one again.
  public mutating func reset() { pause = .zero }
}

/// Counts ends that nobody asked for, until there are too many in one interval.
public struct StartLimit: Sendable, Equatable {
  private var ends: [LoopTime] = []

  public init() {}

  /// Counts an end.
  ///
  /// - Parameters:
  ///   - now: when it was.
  ///   - isOfHost: the host was at fault, and the end says nothing about the pod.
  public mutating func count(at now: LoopTime, _ policy: Lifecycle.Policy, isOfHost: Bool = false) {
    ends = ends.filter { $0 + policy.burstInterval > now }
    if !isOfHost { ends.append(now) }
  }

  /// Whether `StartLimitBurst=` ends were counted within `StartLimitIntervalSec=`.
  public func isHit(_ policy: Lifecycle.Policy) -> Bool { ends.count >= policy.burst }

  /// It works: earlier ends do not count any more.
  public mutating func reset() { ends = [] }
}
