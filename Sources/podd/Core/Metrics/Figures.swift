import OpenMetrics
import PodModel
import Systemd
import Time

/// What podd counts from its start on, for `GetMetrics`. Nothing of it is on the disk (decision 0030).
@LoopActor
final class Figures {
  /// Seconds, from a thaw to a program that loads for a minute.
  nonisolated static let latencies = MetricHistogram(
    bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60])

  /// By tier, and then by ``EndReason/kind``.
  private var ends: [String: [String: UInt64]] = [:]
  private var launches: [String: MetricHistogram] = [:]
  /// By the state in which the pod slept.
  private(set) var wakes = [PodState.cold.rawValue: latencies, PodState.frozen.rawValue: latencies]
  /// When a front door last reported requests.
  private(set) var requestsReportedAt: LoopTime?
  /// Within this time a front door reports a request that has ended.
  nonisolated static let reportDelay: Microseconds = .seconds(2)
  /// Pods that a connection has woken and that are not ready yet.
  private var waking: [PodName: (from: PodState, at: LoopTime)] = [:]

  /// All kinds of reasons, also those that no pod ended for.
  func ends(ofTier tier: String) -> [String: UInt64] {
    var counts = Dictionary(uniqueKeysWithValues: EndReason.kinds.map { ($0, UInt64(0)) })
    counts.merge(ends[tier] ?? [:]) { $1 }
    return counts
  }

  func launches(ofTier tier: String) -> MetricHistogram { launches[tier] ?? Self.latencies }

  func ended(tier: String, _ reason: EndReason) {
    ends[tier, default: [:]][reason.kind, default: 0] += 1
  }

  func launched(tier: String, took: Microseconds) {
    launches[tier, default: Self.latencies].observe(took.seconds)
  }

  /// A connection to a sleeping pod has come.
  func woken(_ pod: PodName, from state: PodState, at now: LoopTime) {
    waking[pod] = (state, now)
  }

  /// To be called for every change of a pod's state.
  func moved(_ pod: PodName, to state: PodState, at now: LoopTime) {
    switch state {
    case .ready:
      guard let waking = waking.removeValue(forKey: pod) else { return }
      wakes[waking.from.rawValue]?.observe((now - waking.at).seconds)
    // The connection still waits.
    case .starting, .backoff, .draining, .stopping, .frozen: break
    case .cold, .stopped, .crashLoop: forget(pod)
    }
  }

  func requestsReported(at now: LoopTime) { requestsReportedAt = now }

  /// Before which time a request must have ended to be counted for certain; nil before the first report.
  func requestsCounted(at now: LoopTime) -> LoopTime? {
    requestsReportedAt.map { max($0, now - Self.reportDelay) }
  }

  func forget(_ pod: PodName) { waking[pod] = nil }
}
