import Glibc
import PodModel
internal import Time

/// The results of a rule on many traces.
public struct Score: Sendable {
  public struct Mistakes: Sendable {
    public var traces = 0
    public var missed = 0
    public var falseRecycles = 0
    /// The free share of the limit at each leak that was found.
    public var freeShares: [Double] = []
  }

  public let name: String
  public private(set) var leaks = 0
  public private(set) var found: [Verdict.Finding] = []
  public private(set) var missed = 0
  public private(set) var falseRecycles = 0
  /// The time that healthy pods ran until the rule recycled them, and leaking pods until their leak started.
  public private(set) var healthySeconds = 0.0
  public private(set) var byKind: [String: Mistakes] = [:]
  /// The traces that the rule judged wrongly, with the time of a false recycle in seconds.
  public private(set) var wrong: [(trace: String, kind: String, at: Double?, reason: String)] = []
  private var samples = 0
  private var processorSeconds = 0.0

  public init(name: String) {
    self.name = name
  }

  /// Runs `rule` over a trace and counts the result.
  public mutating func add(_ rule: Candidate, _ trace: Trace) {
    let before = processorTime()
    var rule = rule.make(trace.memoryMax)
    let verdict = Verdict.of(&rule, on: trace)
    processorSeconds += processorTime() - before
    // All samples count, although a recycle ends the trace earlier, so the time per sample is slightly too low.
    samples += trace.samples.count
    let start = trace.samples.first?.at ?? .zero
    let healthyUntil = trace.leaks.first?.starts ?? trace.samples.last?.at ?? start
    var lived = (healthyUntil - start).seconds
    if trace.isLeak { leaks += 1 }
    byKind[trace.kind, default: Mistakes()].traces += 1
    switch verdict {
    case .leftAlone: break
    case .found(let finding):
      found.append(finding)
      byKind[trace.kind, default: Mistakes()].freeShares.append(finding.freeShare)
    case .missed:
      missed += 1
      byKind[trace.kind, default: Mistakes()].missed += 1
      wrong.append((trace.name, trace.kind, nil, rule.reason))
    case .falseRecycle(let at):
      falseRecycles += 1
      // The leak that started after the false recycle was not found.
      if trace.isLeak { missed += 1 }
      byKind[trace.kind, default: Mistakes()].falseRecycles += 1
      lived = min(lived, (at - start).seconds)
      wrong.append((trace.name, trace.kind, (at - start).seconds, rule.reason))
    }
    healthySeconds += lived
  }

  /// The share of recycled pods that leaked; 1 if none was recycled.
  public var precision: Double {
    found.isEmpty && falseRecycles == 0 ? 1 : Double(found.count) / Double(found.count + falseRecycles)
  }

  /// The share of leaking pods that were found before they met their limit.
  public var recall: Double { leaks == 0 ? 1 : Double(found.count) / Double(leaks) }

  /// The harmonic mean of precision and recall.
  public var balance: Double {
    precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall)
  }

  public var podDays: Double { healthySeconds / 86_400 }
  public var falsePerThousandPodDays: Double { podDays == 0 ? 0 : Double(falseRecycles) / podDays * 1000 }
  public var falsePerPodMonth: Double { falsePerThousandPodDays * 30 / 1000 }
  public var microsecondsPerSample: Double { samples == 0 ? 0 : processorSeconds / Double(samples) * 1e6 }

  public var freeShares: [Double] { found.map(\.freeShare).sorted() }
  public var secondsLeft: [Double] { found.map(\.secondsLeft).sorted() }
  public var secondsAfter: [Double] { found.map(\.secondsAfter).sorted() }
}

extension [Double] {
  /// The values must be sorted; nil if there are none.
  func quantile(_ part: Double) -> Double? {
    isEmpty ? nil : self[Swift.min(count - 1, Int(Double(count) * part))]
  }
}

private func processorTime() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
