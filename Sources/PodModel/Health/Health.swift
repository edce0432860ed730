/// A pod's standing with its liveness probe, and the rule that calls it hung.
public struct Health: Sendable, Equatable {
  public enum Answer: Sendable, Equatable {
    case alive
    /// It did not answer in time, but worked for others meanwhile: loaded, not hung.
    case slow
    /// One clause: what happened instead of an answer.
    case silent(String)
  }

  /// Probes in a row that were not answered.
  public private(set) var failures = 0
  /// What the last of them met; kept when later ones are answered.
  public private(set) var lastError: String?

  public init() {}

  /// Returns whether the pod counts as hung now: `limit` failures in a row.
  public mutating func note(_ answer: Answer, limit: Int) -> Bool {
    switch answer {
    case .alive:
      failures = 0
    case .slow:
      // Neither good nor bad: what it did for others says that it is not hung.
      failures = 0
      lastError = "slow: no answer in time, but others were served"
    case .silent(let error):
      failures += 1
      lastError = error
    }
    return failures >= max(1, limit)
  }

  /// How long to wait for the next question, microseconds: `period` with a tenth of jitter either way, so that the
  /// probes of many pods that started together drift apart. The first one comes within the first period.
  public static func pause(period: UInt64, random: Double, isFirst: Bool) -> UInt64 {
    let share = min(max(random, 0), 1)
    let factor = isFirst ? 0.1 + 0.9 * share : 0.9 + 0.2 * share
    return max(1, UInt64(Double(period) * factor))
  }
}
