import PodModel
import Systemd

/// One generation in podd's hands, from the decision to launch it until its end is recorded.
@LoopActor
final class Generation {
  /// Nil until it is written down.
  var unit: UnitName?
  var tier: Tier?
  /// What its workload was read from.
  var source: WorkloadSource?
  /// pod-launch, until the program runs.
  var parked: LaunchProcess?
  /// Nil until the program runs.
  var scope: RunningScope?
  /// It said READY=1 before podd knew that it runs.
  var saidReady = false
  /// To be stopped before its program ran.
  var isCancelled = false
  /// Why it is being stopped; of one that was taken over, as far as that is known.
  var stopCause: EndReason?
  /// systemd has been asked to stop it.
  var isStopping = false
  /// That systemd has been, by this podd or by one before, is on record.
  var isStopAskedOnRecord = false
  /// Whether the program knows less of its users than the store.
  var usersAreStale = false
  /// Set when it has ended.
  var evidence: EndEvidence?
  /// Connections that were open when it was given no more time to finish them.
  var cutConnections: Int?
  /// CLOCK_REALTIME, microseconds; of one that was taken over, as the store has it.
  var begunAt = realtimeNow()
  /// What its time is measured with while it starts, and while a hung one is being stopped.
  var timer: EventSource?
  var liveness: Liveness?
  /// The kernel's watch on its memory pressure.
  var pressure: PressureWatch.Armed?
  /// What is known of its memory, from when its program runs.
  var memory: RunMemory?
  /// Its processes beyond the main one; nil for a workload with one.
  var workers: Workers?

  var workload: Workload? { source?.workload }

  /// Why, as far as systemd was asked to stop it.
  var recordedStop: EndReason? { isStopAskedOnRecord ? stopCause : nil }

  /// Whether this generation and another one of the workload may serve the same data for a while. With
  /// Type=exec podd could not tell which of the two answers the probe.
  func overlaps(with other: Workload?) -> Bool {
    guard let workload, let other else { return false }
    return Self.mayOverlap(workload) && Self.mayOverlap(other)
  }

  private static func mayOverlap(_ workload: Workload) -> Bool {
    workload.overlap && workload.listen == .socket && workload.type == .notify
  }
}
