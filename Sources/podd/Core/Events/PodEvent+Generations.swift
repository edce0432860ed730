import PodModel
import Systemd
import Time

/// What happens to a pod's generations, from the launch to the end.
extension PodEvent {
  /// - Parameter idle: for how long nobody has had a connection to it.
  static func idle(_ pod: Subject, _ act: IdlePolicy.Act, for idle: Microseconds) -> PodEvent {
    let done = act == .freeze ? "is frozen" : "is being stopped"
    return PodEvent(
      .podIdle,
      "\(pod.pod) has had no connection for \(idle / .seconds(1)) s and \(done); the next connection wakes it.",
      pod.fields + [(.reason, EndReason.idle.description)])
  }

  static func started(_ pod: Subject, unit: UnitName, pid: Int32) -> PodEvent {
    PodEvent(
      .podStarted, "\(pod.pod) started as \(unit), main process \(pid).",
      pod.fields + [(.unit, unit.description)])
  }

  static func adopted(_ pod: Subject, unit: UnitName, pid: Int32) -> PodEvent {
    PodEvent(
      .podAdopted, "\(pod.pod) runs on as \(unit), main process \(pid).",
      pod.fields + [(.unit, unit.description)])
  }

  static func ready(_ pod: Subject, unit: UnitName?) -> PodEvent {
    PodEvent(.podReady, "\(pod.pod) is ready.", pod.fields + [(.unit, unit?.description ?? "")])
  }

  /// - Parameter cause: what the reason alone does not say, as a clause.
  static func launchFailed(
    _ pod: Subject, unit: UnitName?, reason: EndReason, stage: LaunchStage, cause: String? = nil
  ) -> PodEvent {
    PodEvent(
      .podLaunchFailed, "\(pod.pod) could not be launched: \(reason)\(cause.map { " (\($0))" } ?? "")",
      priority: .error,
      alert: stage == .limits ? .limitsMismatch : .launchFailed,
      pod.fields + [(.reason, reason.description)] + (unit.map { [(.unit, $0.description)] } ?? []))
  }

  /// - Parameter wrong: each limit that differs, with what is in force and what the tier wants.
  static func limitsMismatch(_ unit: UnitName, wrong: [String]) -> PodEvent {
    PodEvent(
      .limitsMismatch, "\(unit): the limits in force are not the tier's: \(wrong.joined(separator: ", "))",
      priority: .error, [(.pod, unit.pod.description), (.unit, unit.description)])
  }

  static func ended(_ pod: Subject, unit: UnitName, reason: EndReason, evidence: EndEvidence?) -> PodEvent {
    let detail = evidence?.sentence.map { " (\($0))" } ?? ""
    return PodEvent(
      .podEnded, "\(unit) ended: \(reason)\(detail).", priority: reason.isWanted ? .info : .warning,
      alert: reason.isWanted ? nil : reason.alert,
      pod.fields + [(.reason, reason.description), (.unit, unit.description)]
        + (evidence?.journalFields ?? []))
  }

  /// - Parameter pod: nil where the pod is no longer on record.
  static func endedUnseen(_ pod: Subject?, unit: UnitName, reason: EndReason) -> PodEvent {
    PodEvent(
      .podEnded, "\(unit) ended while podd was away: \(reason).", priority: .notice,
      (pod?.fields ?? [(.pod, unit.pod.description)]) + [
        (.reason, reason.description), (.unit, unit.description),
      ])
  }

  static func workerEnded(_ pod: Subject, pid: Int32, reason: EndReason) -> PodEvent {
    PodEvent(
      .workerEnded, "A worker of \(pod.pod), process \(pid), ended: \(reason). The others still serve.",
      priority: .warning, alert: .end, pod.fields + [(.reason, reason.description)])
  }

  static func hung(_ pod: Subject, error: String) -> PodEvent {
    PodEvent(
      .podHung, "\(pod.pod) does not answer and is replaced: \(error).", priority: .error, pod.fields)
  }

  /// - Parameter reason: the last end's, in words.
  static func startLimitHit(_ pod: Subject, reason: String) -> PodEvent {
    PodEvent(
      .podCrashLoop,
      "\(pod.pod) ended too often in too short a time (\(reason)) and is held until 'podctl reset \(pod.pod)'.",
      priority: .error, alert: .crashLoop, pod.fields)
  }

  static func drainCut(_ pod: Subject, connections: Int, after patience: Microseconds) -> PodEvent {
    let seconds = Double(patience / .milliseconds(100)) / 10
    return PodEvent(
      .podDrainCut,
      "\(pod.pod) had \(connections) connection\(connections == 1 ? "" : "s") left after \(seconds) s, "
        + "which are cut.",
      priority: .warning, alert: .drainCut, pod.fields + [(.connections, String(connections))])
  }

  /// - Parameter gap: how long new connections waited.
  static func released(_ pod: Subject, gap: Microseconds) -> PodEvent {
    let milliseconds = gap / .milliseconds(1)
    return PodEvent(
      .podReleased, "\(pod.pod) took no new connections for \(milliseconds) ms.",
      pod.fields + [(.gap, String(Microseconds.milliseconds(milliseconds).count))])
  }

  static func woken(_ pod: Subject, sleptSeconds: UInt64) -> PodEvent {
    PodEvent(
      .podWoken,
      "\(pod.pod) was \(pod.state.rawValue) for \(sleptSeconds) s and is woken by a connection.",
      pod.fields)
  }

  static func stoppedByOperator(_ pod: Subject) -> PodEvent {
    PodEvent(.podStoppedByOperator, "\(pod.pod) is stopped by hand and stays stopped.", pod.fields)
  }

  static func orphanStopped(_ unit: UnitName) -> PodEvent {
    PodEvent(
      .orphanScopeStopped, "\(unit) belongs to no pod and was stopped.", priority: .warning,
      [(.unit, unit.description)])
  }
}
