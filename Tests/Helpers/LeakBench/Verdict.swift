import Glibc
import PodModel
public import Time

/// The result of a rule on a trace. The first sample for which the rule returns true is a recycle and ends the trace.
public enum Verdict: Sendable {
  /// A healthy pod that was not recycled.
  case leftAlone
  /// A pod that was recycled while it did not leak.
  case falseRecycle(at: LoopTime)
  /// A leak that met its limit.
  case missed
  /// A leak that was found before it met its limit.
  case found(Finding)

  public struct Finding: Sendable {
    /// The free share of the limit at the time of the recycle.
    public var freeShare: Double
    /// The time from the recycle until the limit would have been met.
    public var secondsLeft: Double
    /// The time from the start of the leak to the recycle.
    public var secondsAfter: Double
  }

  public static func of(_ rule: Candidate, on trace: Trace) -> Verdict {
    var rule = rule.make(trace.memoryMax)
    return of(&rule, on: trace)
  }

  static func of(_ rule: inout any Rule, on trace: Trace) -> Verdict {
    for sample in trace.samples where rule.add(sample) {
      guard let leak = trace.leaks.last(where: { $0.starts <= sample.at }), sample.at <= leak.ends else {
        return .falseRecycle(at: sample.at)
      }
      guard sample.at < leak.meetsLimit, sample.held < trace.memoryMax else { return .missed }
      return .found(
        Finding(
          freeShare: 1 - trace.share(sample), secondsLeft: (leak.meetsLimit - sample.at).seconds,
          secondsAfter: (sample.at - leak.starts).seconds))
    }
    return trace.isLeak ? .missed : .leftAlone
  }
}
