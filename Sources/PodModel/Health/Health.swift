public import Time

/// The results of a pod's liveness probe, and the rule by which the pod counts as hung.
public struct Health: Sendable, Equatable {
  public enum Answer: Sendable, Equatable {
    case alive
    /// No answer in time, but the pod served other clients meanwhile: it is loaded, not hung.
    case slow
    /// No answer; the clause says what happened instead.
    case silent(String)
    /// podd could not ask, because the host lacks something, such as a free source port: this says nothing about the pod.
    case unasked(String)
  }

  /// The number of consecutive probes without an answer.
  public private(set) var failures = 0
  /// The error of the last probe that was slow or had no answer; kept when later probes are answered.
  public private(set) var lastError: String?

  public init() {}

  /// Records an answer. Returns whether the pod counts as hung now: after `limit` consecutive failures.
  public mutating func note(_ answer: Answer, limit: Int) -> Bool {
    switch answer {
    case .alive:
      failures = 0
    case .slow:
      // Not a failure: the pod is not hung if it served others.
      failures = 0
      lastError = "slow: no answer in time, but others were served"
    case .silent(let error):
      failures += 1
      lastError = error
    case .unasked(let error):
      lastError = error
      return false
    }
    return failures >= max(1, limit)
  }

  /// The time until the next probe: `period` with a jitter of 10 % either way, so that the probes of pods
  /// that started together drift apart. The first probe comes within the first period.
  public static func pause(period: Microseconds, random: Double, isFirst: Bool) -> Microseconds {
    let share = min(max(random, 0), 1)
    let factor = isFirst ? 0.1 + 0.9 * share : 0.9 + 0.2 * share
    return max(Microseconds(1), period.scaled(by: factor))
  }
}
