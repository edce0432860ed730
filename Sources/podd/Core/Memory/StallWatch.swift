import Cgroup
import PodModel
import Systemd
import Time

/// Watches pods that stall at their memory limit, from the kernel's first event until they have recovered or
/// are replaced. Without such a pod it does nothing.
@LoopActor
final class StallWatch {
  /// The longest pause between two samples.
  private static let longestPause: Microseconds = .seconds(5)

  private unowned let host: PodHost
  private let reader: MemoryReader
  private var suspects: [PodName: Suspect] = [:]
  private var timer: EventSource?
  /// The pods that were replaced for a stall within the last hour, and when.
  private var treated: [(pod: PodName, at: LoopTime)] = []

  private struct Suspect {
    weak var generation: Generation?
    var stall: Stall
  }

  init(_ host: PodHost, _ reader: MemoryReader) {
    self.host = host
    self.reader = reader
  }

  /// To be called when a pod's own trigger reports that nothing of it could run for a fifth of the time.
  func suspect(_ pod: Pod) {
    // A pod that is being replaced needs no treatment.
    guard let generation = pod.current, pod.state == .ready, !pod.lifecycle.isBeingReplaced,
      host.settings.stallTimeout != .infinity, suspects[pod.name]?.generation !== generation,
      let look = look(generation)
    else { return }
    suspects[pod.name] = Suspect(generation: generation, stall: Stall(look))
    arm()
  }

  /// To be called for a slice's trigger, where pods have none of their own: any pod in it may be at its
  /// limit.
  func suspect(slice: String) {
    for pod in host.pods.values
    where pod.scope.map({ ControlGroup.isIn(slice: slice, path: $0.cgroupPath) }) ?? false {
      suspect(pod)
    }
  }

  private func look(_ generation: Generation) -> Stall.Look? {
    generation.scope?.withCgroup { cgroup throws(CgroupError) in
      let high = try reader.number(InterfaceFile.memoryHigh, cgroup)
      let max = try reader.number(InterfaceFile.memoryMax, cgroup)
      return Stall.Look(
        at: EventLoop.main.now(), full: try reader.stalled(cgroup),
        current: try reader.number(InterfaceFile.memoryCurrent, cgroup) ?? 0,
        limit: [high, max].compactMap(\.self).min())
    }
  }

  private func arm() {
    guard timer == nil, !suspects.isEmpty else { return }
    let pause = max(min(Self.longestPause, host.settings.stallTimeout / 8), .milliseconds(500))
    timer = try? EventSource.timer(EventLoop.main, after: pause) { [unowned self] in
      LoopActor.assumeIsolated {
        timer = nil
        lookAtAll()
        arm()
      }
    }
  }

  private func lookAtAll() {
    let now = EventLoop.main.now()
    let timeout = host.settings.stallTimeout
    treated.removeAll { $0.at + .hours(1) <= now }
    var due: [(Pod, Generation, Stall)] = []
    for (name, suspect) in suspects {
      guard let pod = host.pods[name], let generation = suspect.generation, pod.current === generation,
        pod.state == .ready,
        let look = look(generation)
      else {
        suspects[name] = nil
        continue
      }
      var stall = suspect.stall
      let before = treated.count { $0.pod == name }
      let verdict = stall.look(look, timeout: timeout, treatedBefore: before)
      suspects[name]?.stall = stall
      if stall.since != nil, suspect.stall.since == nil {
        host.report(.stalls(pod.subject, stall, now: now, patience: Stall.patience(timeout, before)))
      }
      switch verdict {
      case .watched: break
      case .over:
        suspects[name] = nil
        if stall.since != nil { Log.notice("\(name) no longer stalls at its memory limit.") }
      case .treat: due.append((pod, generation, stall))
      }
    }
    // The worst first: the pod that could run least.
    for (pod, generation, stall) in due.sorted(by: { $0.2.share > $1.2.share }) {
      treat(pod, generation, stall, now)
    }
  }

  private func treat(_ pod: Pod, _ generation: Generation, _ stall: Stall, _ now: LoopTime) {
    guard host.memory.hindrance(pod) == nil else { return }
    let stalled = now - (stall.since ?? now)
    treated.append((pod.name, now))
    suspects[pod.name] = nil
    generation.memory?.treatedStall = stalled
    host.report(.stallTreated(pod.subject, stall, now: now))
    host.memory.replace(pod, .pressure)
  }
}
