import Linux
import PodModel
import PodStore
import Systemd
import Time

/// READY=1 and probes: how podd notices that a generation serves, and what begins then. ``GenerationLife`` and
/// ``PodMachine`` (`becameReady`) decide what follows.
extension Generation {
  func awaitReadiness() {
    guard let workload, let scope else { return }
    // An adopted program may have said READY=1 while podd was away: then its probe shows it.
    if workload.type == .notify && !scope.adopted { return }
    guard let probe = workload.probe else { return report(.ready) }
    loopTask { await self.probeUntilReady(probe, timeout: workload.probeTimeout) }
  }

  /// A program that binds by itself raises no event when it is there, so it is probed at growing intervals until the
  /// start timeout ends it.
  private func probeUntilReady(_ probe: Workload.Probe, timeout: Microseconds) async {
    var pause: Microseconds = .milliseconds(10)
    while isStarting {
      let answer = await Prober.ask(probe, pod.record, timeout: timeout) { pod.probePort = $0 }
      guard isStarting else { return }
      if case .alive = answer {
        pod.probePort = nil
        return report(.ready)
      }
      await EventLoop.main.sleep(pause)
      pause = min(pause * 3 / 2, .seconds(1))
    }
  }

  private var isStarting: Bool { isCurrent && pod.state == .starting }

  /// `isAwaited`: a successor's readiness is on the disk before the generation that serves is stopped.
  func recordReadiness(isAwaited: Bool) {
    // An earlier podd has begun an adopted one.
    if begun != .zero { host.figures.launched(tier: pod.record.tier, took: Clock.loop - begun) }
    if !isAwaited {
      // The same time as `since`, so that the next podd shows the same.
      return host.write("the readiness of \(name)", readiness(at: pod.since))
    }
    let readyAt = Clock.wall
    loopTask {
      do throws(StoreError) {
        try await self.host.store.run(self.readiness(at: readyAt))
      } catch {
        Log.error("Cannot record the readiness of \(self.name): \(error)")
      }
      // Before the predecessor is stopped: its workers give way to these one after the other.
      self.makeWorkers()
      self.report(.readinessRecorded, at: readyAt)
    }
  }

  private func readiness(at time: WallTime) -> @Sendable (PlacementStore) throws(StoreError) -> Void {
    let unit = unit
    return { store throws(StoreError) in
      if let unit { try store.generationReady(unit, now: time) }
    }
  }

  func serve() {
    host.report(.ready(pod.subject, unit: unit))
    liveness = Liveness(self)
    host.workloadVersions.served(self, of: pod)
    makeWorkers()
    workers?.fill()
  }

  func resumeService() {
    liveness = Liveness(self)
    makeWorkers()
    guard let workers, let scope else { return }
    workers.adopt(scope.otherRoots())
    workers.fill()
  }

  private func makeWorkers() {
    if workers == nil, life != nil { workers = Workers(self) }
  }

  /// A process of the pod said READY=1 on the notify socket.
  func notifiedReady(_ pid: Int32) {
    if workers?.notified(pid) ?? false { return }
    // The program said so before pod-launch's control socket showed that it runs: the machine remembers it.
    guard scope != nil else { return report(.ready) }
    if isCurrent { pod.answerReload() }
    if workload?.type == .notify { report(.ready) }
  }

  // MARK: Users

  /// Makes its program read the users file again.
  func reload(_ revision: Int) {
    loopTask {
      if let scope = self.scope, let workload = self.workload {
        if workload.reloadSignal != nil {
          self.signalReload()
          await self.pod.awaitReload(of: scope)
        } else if let request = self.request(for: scope.unit) {
          do throws(LaunchFailure) {
            try await self.host.launcher.reload(request, in: scope)
          } catch {
            Log.warning("\(self.name): ExecReload= failed (\(error.reason)), restarting it instead")
            return self.report(.usersNotRead(next: self.pod.nextHandover))
          }
        }
      }
      self.report(.usersRead(revision))
    }
  }

  func signalReload() {
    guard let scope, let signal = workload?.reloadSignal else { return }
    scope.signal(signal)
    workers?.signal(signal)
  }

  func reportWorkerEnded(_ pid: Int32, _ reason: EndReason) {
    host.report(.workerEnded(pod.subject, pid: pid, reason: reason))
  }
}
