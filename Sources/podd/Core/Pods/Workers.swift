import CLinux
import Glibc
import PodModel
import Systemd

/// A generation's processes beyond its main one (`Workers=`): the same program on the same socket, in the same
/// scope. One that ends is replaced while the others serve.
@LoopActor
final class Workers {
  /// One such process.
  final class Worker {
    let pid: pid_t
    let startTicks: UInt64
    let pidfd: FileDescriptor
    fileprivate var isReady = false
    fileprivate var source: EventSource?
    fileprivate var waiting: UnsafeContinuation<Void, Never>?

    fileprivate init(pid: pid_t, startTicks: UInt64, pidfd: consuming FileDescriptor) {
      self.pid = pid
      self.startTicks = startTicks
      self.pidfd = pidfd
    }
  }

  /// Of the host, for a tier without a quota.
  private static let cpus = max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN)))

  // Owned: a launch may be under way when the generation ends. The run lets go of its workers then.
  private let pod: Pod
  private let generation: Generation
  private let wanted: Int
  private var workers: [Worker] = []
  /// Told to stop, and kept until they have: nobody else would take their exit status.
  private var dismissed: [Worker] = []
  /// Not yet one of them: its program does not run for certain.
  private var coming: Worker?
  private var isFilling = false
  private var recentEnds: [UInt64] = []
  private var delay: UInt64 = 0

  /// Nil for a workload with one process.
  init?(_ generation: Generation, of pod: Pod) {
    let wanted = generation.workload?.workers.count(cpus: generation.tier?.cpuCount ?? Self.cpus) ?? 1
    guard wanted > 1 else { return nil }
    self.wanted = wanted - 1
    self.generation = generation
    self.pod = pod
  }

  var count: Int { workers.count }

  /// Takes over what an earlier podd launched.
  func adopt(_ pids: [pid_t]) {
    for pid in pids {
      let raw = linux_pidfd_open(pid, 0)
      guard raw >= 0, let ticks = ProcessIdentity.startTicks(of: pid) else { continue }
      let worker = Worker(pid: pid, startTicks: ticks, pidfd: FileDescriptor(owning: raw))
      worker.isReady = true
      add(worker)
    }
  }

  // MARK: Filling

  /// Launches what is missing, one after the other. For each that is ready, one of the predecessor's is told to
  /// stop: a restart needs room for one process more, not for twice as many.
  func fill() {
    guard !isFilling else { return }
    isFilling = true
    loopTask {
      while self.workers.count < self.wanted && self.isNeeded {
        if self.delay > 0 { await EventLoop.main.sleep(self.delay) }
        guard self.isNeeded, let scope = self.generation.scope,
          let request = self.pod.request(self.generation, scope.unit), await self.pod.scopeIsActive(scope)
        else { break }
        if await self.launch(request, into: scope) { self.pod.other?.workers?.dismissOne() }
      }
      self.isFilling = false
      self.pod.workersAreComplete(self.generation)
    }
  }

  private var isNeeded: Bool {
    pod.current === generation && !generation.isStopping && generation.scope != nil
  }

  /// Returns whether it serves.
  private func launch(_ request: Launcher.Request, into scope: RunningScope) async -> Bool {
    do throws(LaunchFailure) {
      let process = try pod.host.launcher.spawnWorker(request)
      let worker = Worker(
        pid: process.pid, startTicks: ProcessIdentity.startTicks(of: process.pid) ?? 0,
        pidfd: try duplicate(process.pidfd))
      // It may say READY=1 before podd hears that it runs.
      coming = worker
      defer { coming = nil }
      try await pod.host.launcher.enter(process, scope, patience: request.workload.timeoutStartUSec)
      add(worker)
      // Type=exec: nobody tells, and the others serve.
      if request.workload.type == .notify { await readiness(of: worker) } else { worker.isReady = true }
      guard worker.isReady else {
        // Too slow: its end counts like any other.
        _ = linux_pidfd_send_signal(worker.pidfd.raw, SIGKILL)
        return false
      }
      delay = 0
      return true
    } catch {
      Log.error("\(pod.name): a worker could not be launched: \(error.reason)")
      failed(error.reason)
      return false
    }
  }

  private func duplicate(_ pidfd: borrowing FileDescriptor) throws(LaunchFailure) -> FileDescriptor {
    do throws(Errno) { return try pidfd.duplicate() } catch { throw LaunchFailure(stage: "spawn", error) }
  }

  private var nextDelay: UInt64 {
    let policy = pod.host.restartPolicy
    return delay == 0 ? policy.firstDelay : min(delay * 2, policy.maxDelay)
  }

  /// Returns when it says READY=1, has ended, or has had its time to.
  private func readiness(of worker: Worker) async {
    guard !worker.isReady else { return }
    let patience = generation.workload?.timeoutStartUSec ?? Workload.defaultTimeoutUSec
    let timer = try? EventSource.timer(EventLoop.main, after: patience) { [weak worker] in
      LoopActor.assumeIsolated { Self.goOn(worker) }
    }
    guard timer != nil else { return }
    await withUnsafeContinuation { worker.waiting = $0 }
  }

  private static func goOn(_ worker: Worker?) {
    let waiting = worker?.waiting
    worker?.waiting = nil
    waiting?.resume()
  }

  /// One of its processes said READY=1. Returns whether it is one.
  func notified(_ pid: pid_t) -> Bool {
    let all = workers + [coming].compactMap { $0 }
    guard let worker = all.first(where: { $0.pid == pid }) else { return false }
    worker.isReady = true
    Self.goOn(worker)
    return true
  }

  // MARK: Ends

  private func add(_ worker: Worker) {
    workers.append(worker)
    worker.source = try? EventSource.io(
      EventLoop.main, descriptor: worker.pidfd.raw, events: PollEvents.input
    ) { [weak self, weak worker] _ in
      LoopActor.assumeIsolated { if let self, let worker { self.ended(worker) } }
    }
  }

  private func ended(_ worker: Worker) {
    guard worker.source != nil else { return }
    worker.source = nil
    let wasDismissed = dismissed.contains { $0 === worker }
    dismissed.removeAll { $0 === worker }
    workers.removeAll { $0 === worker }
    Self.goOn(worker)
    let reason = RunningScope.reap(worker.pid).map { EndReason($0) } ?? .unknownAdopted
    if !wasDismissed { oneEnded(worker.pid, reason) }
  }

  /// A worker, or the main process whose place another has taken, ended unasked.
  func oneEnded(_ pid: pid_t, _ reason: EndReason) {
    guard isNeeded else { return }
    pod.tellWorkerEnded(pid, reason)
    failed(reason)
    fill()
  }

  /// Too often in too short a time, and it is the pod that does not work.
  private func failed(_ reason: EndReason) {
    let policy = pod.host.restartPolicy
    let now = EventLoop.main.now()
    recentEnds = recentEnds.filter { $0 + policy.burstInterval > now } + [now]
    delay = nextDelay
    if recentEnds.count >= policy.burst { pod.handle(.failed(reason)) }
  }

  /// A process to take the place of the main one that has ended; nil when there is none.
  func heir() -> Worker? {
    // One that has ended too, and whose end has not been heard of yet, is no heir.
    guard let index = workers.firstIndex(where: { $0.isReady && !ProcessIdentity.isZombie($0.pid) }) else {
      return nil
    }
    let worker = workers.remove(at: index)
    worker.source = nil
    return worker
  }

  /// One fewer: its successor serves.
  func dismissOne() {
    guard let worker = workers.popLast() else { return }
    _ = linux_pidfd_send_signal(worker.pidfd.raw, generation.workload?.killSignal ?? SIGTERM)
    dismissed.append(worker)
  }

  func signal(_ number: CInt) {
    for worker in workers { _ = linux_pidfd_send_signal(worker.pidfd.raw, number) }
  }
}
