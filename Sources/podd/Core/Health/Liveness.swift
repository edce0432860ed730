import PodModel
import PodStore
import Systemd

/// Asks a ready generation again and again whether it is alive, from its readiness to its end.
@LoopActor
final class Liveness {
  private(set) var health = Health()
  /// CLOCK_REALTIME, microseconds: the last question; nil before the first.
  private(set) var askedAt: UInt64?

  private unowned let pod: Pod
  private unowned let generation: Generation
  private var timer: EventSource?

  /// Wake-ups of podd are shared by all probes that fall into such a part of their period.
  private static let accuracy: UInt64 = 5

  /// Nil for a workload without a probe.
  init?(_ generation: Generation, of pod: Pod) {
    guard generation.workload?.probe != nil else { return nil }
    self.generation = generation
    self.pod = pod
    arm(isFirst: true)
  }

  private func arm(isFirst: Bool = false) {
    guard let period = generation.workload?.probeUSec else { return }
    let pause = Health.pause(period: period, random: Double.random(in: 0..<1), isFirst: isFirst)
    do throws(Errno) {
      timer = try EventSource.timer(
        EventLoop.main, after: pause, accuracy: period / Self.accuracy
      ) { [weak self] in
        LoopActor.assumeIsolated { self?.fired() }
      }
    } catch {
      Log.error("\(pod.name) is no longer probed: \(error)")
    }
  }

  private func fired() {
    // A pod that is frozen, or on its way out, is not asked.
    guard pod.current === generation, pod.state == .ready, !generation.isStopping else {
      if pod.current === generation, pod.state.hasScope { arm() }
      return
    }
    guard let workload = generation.workload, let probe = workload.probe else { return }
    let (pod, record) = (pod, pod.record)
    let patience = workload.probeTimeoutUSec
    loopTask { [weak self] in
      let answer = await Prober.ask(probe, record, timeoutUSec: patience) { pod.probePort = $0 }
      self?.answered(answer)
    }
  }

  private func answered(_ answer: Health.Answer) {
    askedAt = realtimeNow()
    // Somebody else may have that port from now on.
    if answer == .alive { pod.probePort = nil }
    let failuresBefore = health.failures
    let limit = generation.workload?.probeFailures ?? 1
    let isHung = health.note(answer, limit: limit)
    guard pod.current === generation, pod.state == .ready, !generation.isStopping else { return arm() }
    if case .silent(let error) = answer {
      Log.warning(
        "\(pod.name) does not answer its probe (\(health.failures) of \(limit)): \(error)")
    } else if failuresBefore > 0 {
      Log.notice("\(pod.name) answers its probe again.")
    }
    if isHung { return pod.hung(error: health.lastError ?? "") }
    arm()
  }
}
