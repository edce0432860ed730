import PodModel
import Systemd
import Time

/// What podd does about memory: leaks, stalls and shortages.
extension PodEvent {
  // MARK: Leaks

  static func leakRecycled(_ pod: Subject, _ finding: LeakDetector.Finding, because clause: String)
    -> PodEvent
  {
    PodEvent(
      .podLeakRecycled, "\(pod.pod) leaks memory and is recycled, because \(clause): \(finding.reason)",
      priority: .notice, alert: .leak,
      pod.fields + [(.reason, EndReason.leak.description)] + finding.journalFields)
  }

  /// - Parameter clause: what is done about it.
  static func leaks(_ pod: Subject, _ finding: LeakDetector.Finding, _ clause: String, isAlert: Bool)
    -> PodEvent
  {
    PodEvent(
      .podLeaks, "\(pod.pod) leaks memory; \(clause). \(finding.reason)",
      priority: isAlert ? .warning : .notice, alert: isAlert ? .leak : nil, pod.fields + finding.journalFields
    )
  }

  static func versionLeaks(
    _ pod: Subject, _ finding: LeakDetector.Finding, workload: String, version: String
  ) -> PodEvent {
    PodEvent(
      .versionLeaks,
      "The pods of workload \(workload) leak memory alike, \(pod.pod) first; none is recycled, because that would "
        + "cure none of them. \(finding.reason)",
      priority: .warning, alert: .leakVersion,
      pod.fields + [(.workload, workload), (.workloadVersion, version)] + finding.journalFields)
  }

  // MARK: Stalls

  static func stalls(_ pod: Subject, _ stall: Stall, now: LoopTime, patience: Microseconds) -> PodEvent {
    PodEvent(
      .podStalls,
      "\(pod.pod) stalls at its memory limit: for \(Int(stall.share * 100)) % of the time nothing of it can run. "
        + "Unless that passes, it is recycled after \(patience / .seconds(1)) s.",
      priority: .warning, pod.fields + fields(stall, now))
  }

  static func stallTreated(_ pod: Subject, _ stall: Stall, now: LoopTime) -> PodEvent {
    PodEvent(
      .podStallTreated,
      "\(pod.pod) has stalled at its memory limit for \(stall.length(at: now) / .seconds(1)) s, in the end for "
        + "\(Int(stall.share * 100)) % of the time, and is recycled.",
      priority: .warning, alert: .stall,
      pod.fields + fields(stall, now) + [(.reason, EndReason.pressure.description)])
  }

  private static func fields(_ stall: Stall, _ now: LoopTime) -> Fields {
    [
      (.stall, String(stall.length(at: now).count)), (.stallPercent, String(Int(stall.share * 100))),
      (.memoryCurrent, String(stall.last.current)),
      (.memoryLimit, stall.last.limit.map { String($0) } ?? ""),
    ]
  }

  // MARK: Shortages

  static func memoryShort(_ level: Shortage.Level) -> PodEvent {
    PodEvent(
      .memoryShort, "Memory is short: \(level.words). Idle pods give some up.", priority: .warning,
      fields(level))
  }

  static func memoryEased(_ level: Shortage.Level, acts: Int, lasted: Microseconds, freed: UInt64) -> PodEvent
  {
    PodEvent(
      .memoryEased,
      "Memory is no longer short after \(lasted / .seconds(1)) s; \(acts) acts freed \(freed >> 20) MiB. "
        + "\(level.words).",
      fields(level) + [(.acts, String(acts)), (.memoryFreed, String(freed))])
  }

  /// - Parameter what: what the pod did and how much that freed, in words.
  static func gaveMemory(
    _ pod: Subject, _ step: Shortage.Step, idle: Microseconds, freed: UInt64, _ what: String
  ) -> PodEvent {
    PodEvent(
      .podGaveMemory,
      "Memory is short: \(pod.pod), idle for \(idle / .seconds(1)) s, \(what) "
        + "(number \(step.order); \(step.host.words)).",
      alert: step.act == .stop ? .pressure : nil,
      pod.fields + fields(step.host) + [
        (.act, step.act.name), (.order, String(step.order)), (.idle, String(idle.count)),
        (.memoryFreed, String(freed)),
      ])
  }

  private static func fields(_ level: Shortage.Level) -> Fields {
    [
      (.reason, EndReason.pressure.description),
      (.pressurePercent, String(Int((level.stall * 100).rounded()))),
      (.memoryAvailable, String(level.available)), (.memoryTotal, String(level.total)),
    ]
  }
}

extension Stall {
  /// How long it has lasted.
  fileprivate func length(at now: LoopTime) -> Microseconds { now - (since ?? now) }
}

extension Shortage.Level {
  var words: String {
    "some task waited for memory \(Int((stall * 100).rounded())) % of the time, \(available >> 20) of "
      + "\(total >> 20) MiB are available"
  }
}
