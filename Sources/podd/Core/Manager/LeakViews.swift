import PodAPI
import PodModel
import Systemd

extension HostViews {
  /// The leak properties of GetPod. Slopes are in bytes per second.
  func leakProperties(of pod: Pod) -> [(key: String, value: Variant)] {
    guard let memory = pod.current?.memory else { return [("LeakVerdict", .string(""))] }
    let finding = memory.finding
    let (verdict, next, until) = memory.verdict.words(isLeak: finding.isLeak)
    return [
      ("LeakVerdict", .string(verdict)),
      ("LeakReason", .string(finding.reason)),
      ("LeakSinceTimestamp", .uint(finding.since.map(Self.realtime) ?? 0)),
      ("LeakSlope", .double(finding.slope)),
      ("LeakSlopeLow", .double(finding.slopeLow)),
      ("LeakSlopeHigh", .double(finding.slopeHigh)),
      (
        "LeakTimeToLimitUSec",
        .uint(
          finding.timeToLimit.map { UInt64(clamping: Int64(min(max($0, 0) * 1e6, 9e18))) } ?? PodBus.noSize)
      ),
      ("LeakNext", .string(next)),
      ("LeakNextTimestamp", .uint(until.map(Self.realtime) ?? 0)),
    ]
  }

  /// Converts a time of the loop's clock to CLOCK_REALTIME, microseconds.
  private static func realtime(_ monotonic: UInt64) -> UInt64 {
    let (now, real) = (EventLoop.main.now(), realtimeNow())
    return monotonic >= now ? real.after(monotonic - now) : real - min(now - monotonic, real)
  }
}

extension LeakPolicy.Verdict {
  /// The verdict in one word, what podd does next, and when at the latest.
  fileprivate func words(isLeak: Bool) -> (verdict: String, next: String, until: UInt64?) {
    switch self {
    case .nothing: (isLeak ? "ignored" : "none", "", nil)
    case .wait(let reason, let until): ("waiting", "it is recycled: \(reason.clause)", until)
    case .recycle(let reason): ("recycling", "it is recycled now: \(reason.clause)", nil)
    case .alert(let reason, let until): ("alert", "it is left alone: \(reason.clause)", until)
    }
  }
}
