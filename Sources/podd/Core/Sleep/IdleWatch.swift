import Glibc
import PodModel
import PodStore
import Systemd
import Time

/// Freezes and stops pods that nobody uses. ``IdlePolicy`` decides when; this asks the kernel for their connections at that
/// time, and often enough to see also those that ended meanwhile.
@LoopActor
final class IdleWatch {
  /// The kernel remembers ended connections for a minute; this is less by the timer's inaccuracy.
  private static let longestPause: Microseconds = .seconds(50)
  /// The pause after a look, when many pods are due one after the other.
  private static let shortestPause: Microseconds = .seconds(1)

  private unowned let host: PodHost
  private var timer: EventSource?
  /// When the timer fires; nil without one.
  private var looksAt: LoopTime?
  /// Pods are being frozen or stopped.
  private var isActing = false
  /// Whether it was logged that the kernel does not tell.
  private var hasComplained = false

  init(_ host: PodHost) { self.host = host }

  /// To be called when a pod has entered a state.
  func watch(_ pod: Pod) {
    if let at = nextLook(at: pod, EventLoop.main.now()) { scheduleLook(at: at) }
  }

  /// Nil: not before its state changes.
  private func nextLook(at pod: Pod, _ now: LoopTime) -> LoopTime? {
    guard pod.idlePolicy != nil else { return nil }
    let due = pod.nextIdleAct?.at
    // No connection to a frozen pod ends unseen.
    if pod.state == .frozen && pod.maySleep { return due }
    let latest = now + Self.longestPause
    // What is due already cannot be done yet.
    return due.map { $0 > now ? min($0, latest) : latest } ?? latest
  }

  private func scheduleLook(at: LoopTime) {
    if let looksAt, looksAt <= at { return }
    let now = EventLoop.main.now()
    let pause = at - now
    do throws(Errno) {
      timer = try EventSource.timer(
        EventLoop.main, after: pause, accuracy: min(pause / 10, .seconds(1))
      ) { [unowned self] in
        LoopActor.assumeIsolated {
          timer = nil
          looksAt = nil
          look()
        }
      }
      looksAt = at
    } catch {
      Log.error("Idle pods are not noticed any more: \(error)")
    }
  }

  private func look() {
    let now = EventLoop.main.now()
    let pods = host.pods.values.filter { $0.idlePolicy != nil }
    if let open = try? Connections.ofAllPods(), host.endedConnections.note(maxAge: .zero) {
      hasComplained = false
      for pod in pods {
        pod.noteActivity(cpu: nil, connections: open[UInt16(clamping: pod.record.port)] ?? [])
      }
      act(on: pods.filter { $0.dueIdleAct(now) != nil })
    } else {
      if !hasComplained {
        hasComplained = true
        Log.warning("No pod is frozen or stopped for idleness: the kernel does not list connections")
      }
      // They may have been used.
      for pod in pods { pod.noteServing() }
    }
    if let next = pods.compactMap({ nextLook(at: $0, now) }).min() {
      scheduleLook(at: max(next, now + Self.shortestPause))
    }
  }

  /// One after the other: there may be a thousand.
  private func act(on pods: [Pod]) {
    guard !pods.isEmpty, !isActing else { return }
    isActing = true
    loopTask {
      for pod in pods where self.host.pods[pod.name] === pod { await pod.sleepIfIdle() }
      self.isActing = false
    }
  }
}

extension Pod {
  /// Looks once more, because others were frozen meanwhile.
  fileprivate func sleepIfIdle() async {
    let now = EventLoop.main.now()
    guard connections == 0, let act = dueIdleAct(now), let idleness else { return }
    let event = PodEvent.idle(subject, act, for: now - idleness.clock.usedAt)
    switch act {
    case .freeze: if await freezeUnlessUsed() { host.report(event) }
    case .stop:
      host.report(event)
      handle(.stopGracefully(.idle, then: .cold))
    }
  }
}
