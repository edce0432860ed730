import PodAPI
import PodModel
import Systemd
import Time

extension HostViews {
  /// The leak properties of GetPod. Slopes are in bytes per second.
  func leakProperties(of pod: Pod) -> [(key: String, value: Variant)] {
    guard let memory = pod.current?.memory else { return [("LeakVerdict", .string(""))] }
    let finding = memory.finding
    let (verdict, next, until) = memory.verdict.words(isLeak: finding.isLeak)
    return [
      ("LeakVerdict", .string(verdict)),
      ("LeakReason", .string(finding.reason)),
      ("LeakSinceTimestamp", .time(finding.since.map(Clock.wall(of:)))),
      ("LeakSlope", .double(finding.slope)),
      ("LeakSlopeLow", .double(finding.slopeLow)),
      ("LeakSlopeHigh", .double(finding.slopeHigh)),
      ("LeakTimeToLimitUSec", .span(finding.timeToLimit)),
      ("LeakNext", .string(next)),
      ("LeakNextTimestamp", .time(until.map(Clock.wall(of:)))),
    ]
  }
}

extension LeakPolicy.Verdict {
  /// The verdict in one word, what podd does next, and when at the latest.
  fileprivate func words(isLeak: Bool) -> (verdict: String, next: String, until: LoopTime?) {
    switch self {
    case .nothing: (isLeak ? "ignored" : "none", "", nil)
    case .wait(let reason, let until): ("waiting", "it is recycled: \(reason.clause)", until)
    case .recycle(let reason): ("recycling", "it is recycled now: \(reason.clause)", nil)
    case .alert(let reason, let until): ("alert", "it is left alone: \(reason.clause)", until)
    }
  }
}
