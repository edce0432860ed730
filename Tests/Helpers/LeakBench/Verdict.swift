import Glibc
import PodModel

/// What a rule made of a trace. A conviction is a recycle, and ends the trace for that rule.
public enum Verdict: Sendable {
  /// Healthy, and left alone.
  case leftAlone
  /// Recycled while it did not leak.
  case falseRecycle(at: UInt64)
  /// A leak that met its limit.
  case missed
  /// A leak that was convicted before it met its limit.
  case found(Finding)

  public struct Finding: Sendable {
    /// Of the limit, in the sample that convicted.
    public var freeShare: Double
    /// From there to the limit, had nothing been done.
    public var secondsLeft: Double
    /// Since the leak began.
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
          freeShare: 1 - trace.share(sample), secondsLeft: Double(leak.meetsLimit - sample.at) / 1e6,
          secondsAfter: Double(sample.at - leak.starts) / 1e6))
    }
    return trace.isLeak ? .missed : .leftAlone
  }
}
