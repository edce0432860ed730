import Linux
import PodModel
import PodStore
import Systemd
import Time

/// Probes a ready generation again and again, from its readiness to its end.
@LoopActor
final class Liveness {
  private(set) var health = Health()
  /// When it was probed last; nil before the first time.
  private(set) var askedAt: WallTime?

  /// Whether podd could not ask the last time, and has logged that.
  private var isUnasked = false
  private unowned let generation: Generation
  private var timer: EventSource?

  /// Probes that are due within this part of their period share one wake-up of podd.
  private static let accuracy: UInt64 = 5

  /// Nil for a workload without a probe.
  init?(_ generation: Generation) {
    guard generation.workload?.probe != nil else { return nil }
    self.generation = generation
    arm(isFirst: true)
  }

  private var pod: Pod { generation.pod }
  private var isProbed: Bool { generation.isCurrent && pod.state == .ready && !generation.isStopping }

  private func arm(isFirst: Bool = false) {
    guard let period = generation.workload?.probeInterval else { return }
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
    // A pod that is frozen, or on its way out, is not probed.
    guard isProbed else {
      if generation.isCurrent, pod.state.hasScope { arm() }
      return
    }
    guard let workload = generation.workload, let probe = workload.probe else { return }
    let (pod, record) = (pod, pod.record)
    let patience = workload.probeTimeout
    loopTask { [weak self] in
      let answer = await Prober.ask(probe, record, timeout: patience) { pod.probePort = $0 }
      self?.answered(answer)
    }
  }

  private func answered(_ answer: Health.Answer) {
    askedAt = Clock.wall
    // Somebody else may have that port from now on.
    if answer == .alive { pod.probePort = nil }
    if case .unasked(let error) = answer {
      if !isUnasked {
        Log.warning("\(pod.name) is not probed for now, which is no fault of its own: \(error)")
      }
      isUnasked = true
      _ = health.note(answer, limit: 1)
      return arm()
    }
    isUnasked = false
    let failuresBefore = health.failures
    let limit = generation.workload?.probeFailures ?? 1
    let isHung = health.note(answer, limit: limit)
    guard isProbed else { return arm() }
    if case .silent(let error) = answer {
      Log.warning(
        "\(pod.name) does not answer its probe (\(health.failures) of \(limit)): \(error)")
    } else if failuresBefore > 0 {
      Log.notice("\(pod.name) answers its probe again.")
    }
    if isHung { return hung() }
    arm()
  }

  private func hung() {
    pod.host.report(.hung(pod.subject, error: health.lastError ?? ""))
    generation.report(.unhealthy(.health))
  }
}
