import Glibc
import Linux
import PodModel
import Systemd
import Time

/// A generation's processes beyond its main one (`Workers=`): the same program on the same socket, in the same scope. One
/// that ends is replaced while the others serve.
@LoopActor
final class Workers {
  /// One such process.
  final class Worker {
    let pid: pid_t
    let startTicks: UInt64
    /// Declared before the descriptor that it watches, so that it is released first.
    fileprivate var source: EventSource?
    let pidfd: FileDescriptor
    fileprivate var isReady = false
    fileprivate var waiting: UnsafeContinuation<Void, Never>?

    fileprivate init(pid: pid_t, startTicks: UInt64, pidfd: consuming FileDescriptor) {
      self.pid = pid
      self.startTicks = startTicks
      self.pidfd = pidfd
    }
  }

  /// Owned: a launch may be under way when the generation ends. The generation drops its workers then.
  private let generation: Generation
  private let wanted: Int
  private var workers: [Worker] = [] {
    didSet { if workers.count != oldValue.count { generation.report(.workers(workers.count)) } }
  }
  /// Asked to stop, and kept until they have: nobody else would take their exit status.
  private var dismissed: [Worker] = []
  /// Not yet one of them: it is not certain that its program runs.
  private var coming: Worker?
  private var isFilling = false
  private var startLimit = StartLimit()
  private var backoff = Backoff()
  /// How long the next launch waits.
  private var pause = Microseconds.zero

  /// Nil for a workload with one process.
  init?(_ generation: Generation) {
    wanted = generation.life?.traits?.furtherProcesses ?? 0
    guard wanted > 0 else { return nil }
    self.generation = generation
    generation.report(.workers(0))
  }

  private var pod: Pod { generation.pod }

  var count: Int { workers.count }

  /// Takes over what an earlier podd launched.
  func adopt(_ pids: [pid_t]) {
    for pid in pids {
      guard let pidfd = try? PIDFD.open(pid), let ticks = ProcessIdentity.startTicks(of: pid) else {
        continue
      }
      let worker = Worker(pid: pid, startTicks: ticks, pidfd: pidfd)
      worker.isReady = true
      add(worker)
    }
  }

  // MARK: Filling

  /// Launches what is missing, one after the other. For each that is ready, one of the predecessor's is stopped: a
  /// restart needs room for one process more, not for twice as many.
  func fill() {
    guard !isFilling else { return }
    isFilling = true
    loopTask {
      while self.workers.count < self.wanted && self.isNeeded {
        if self.pause > .zero { await EventLoop.main.sleep(self.pause) }
        guard self.isNeeded, let scope = self.generation.scope,
          let request = self.generation.request(for: scope.unit), await self.generation.isActive
        else { break }
        if await self.launch(request, into: scope) { self.pod.other?.workers?.dismissOne() }
      }
      self.isFilling = false
      self.generation.report(.workersComplete)
    }
  }

  private var isNeeded: Bool {
    generation.isCurrent && !generation.isStopping && generation.scope != nil
  }

  /// Returns whether it serves.
  private func launch(_ request: Launcher.Request, into scope: RunningScope) async -> Bool {
    do throws(LaunchFailure) {
      let process = try pod.host.launcher.spawnWorker(request)
      let worker = Worker(
        pid: process.pid, startTicks: ProcessIdentity.startTicks(of: process.pid) ?? 0,
        pidfd: try duplicate(process.pidfd))
      // It may say READY=1 before podd knows that it runs.
      coming = worker
      defer { coming = nil }
      try await pod.host.launcher.enter(process, scope, patience: request.workload.timeoutStart)
      add(worker)
      // Type=exec: the program does not notify, and the others serve.
      if request.workload.type == .notify { await readiness(of: worker) } else { worker.isReady = true }
      guard worker.isReady else {
        // It was too slow: its end counts like any other.
        PIDFD.send(SIGKILL, to: worker.pidfd)
        return false
      }
      backoff.reset()
      pause = .zero
      return true
    } catch {
      Log.error("\(pod.name): a worker could not be launched: \(error.reason)")
      failed(error.reason)
      return false
    }
  }

  private func duplicate(_ pidfd: borrowing FileDescriptor) throws(LaunchFailure) -> FileDescriptor {
    do throws(Errno) { return try pidfd.duplicate() } catch { throw LaunchFailure(stage: .spawn, error) }
  }

  /// Returns when it says READY=1, has ended, or was too slow.
  private func readiness(of worker: Worker) async {
    guard !worker.isReady else { return }
    let patience = generation.workload?.timeoutStart ?? Workload.defaultTimeout
    let timer = try? EventSource.timer(EventLoop.main, after: patience) { [weak worker] in
      LoopActor.assumeIsolated { Self.resume(worker) }
    }
    guard timer != nil else { return }
    await withUnsafeContinuation { worker.waiting = $0 }
  }

  private static func resume(_ worker: Worker?) {
    let waiting = worker?.waiting
    worker?.waiting = nil
    waiting?.resume()
  }

  /// The process said READY=1. Returns whether it is one of these.
  func notified(_ pid: pid_t) -> Bool {
    let all = workers + [coming].compactMap { $0 }
    guard let worker = all.first(where: { $0.pid == pid }) else { return false }
    worker.isReady = true
    Self.resume(worker)
    return true
  }

  // MARK: Ends

  private func add(_ worker: Worker) {
    workers.append(worker)
    worker.source = try? EventSource.io(
      EventLoop.main, descriptor: worker.pidfd.raw, events: PollEvents.input
    ) { [weak self] _ in
      LoopActor.assumeIsolated {
        if let self { return self.ended(worker) }
        // The generation has ended before its worker was reaped: the kernel reports an empty cgroup first.
        worker.source = nil
        _ = RunningScope.reap(worker.pid)
      }
    }
  }

  private func ended(_ worker: Worker) {
    guard worker.source != nil else { return }
    worker.source = nil
    let wasDismissed = dismissed.contains { $0 === worker }
    dismissed.removeAll { $0 === worker }
    workers.removeAll { $0 === worker }
    Self.resume(worker)
    let reason = RunningScope.reap(worker.pid).map { EndReason($0) } ?? .unknownAdopted
    if !wasDismissed { oneEnded(worker.pid, reason) }
  }

  /// A worker, or the main process whose place another has taken, ended, and nobody had asked for it.
  func oneEnded(_ pid: pid_t, _ reason: EndReason) {
    guard isNeeded else { return }
    generation.reportWorkerEnded(pid, reason)
    failed(reason)
    fill()
  }

  /// Too many ends in too short a time: then it is the pod that does not work.
  private func failed(_ reason: EndReason) {
    let policy = pod.host.restartPolicy
    startLimit.count(at: EventLoop.main.now(), policy, isOfHost: reason.isOfHost)
    pause = backoff.next(policy, random: Double.random(in: 0..<1))
    if !reason.isOfHost && startLimit.isHit(policy) { generation.report(.unhealthy(reason)) }
  }

  /// A process that can take the place of the main one; nil when there is none.
  func heir() -> Worker? {
    // One may have ended too without podd knowing it yet.
    guard let index = workers.firstIndex(where: { $0.isReady && !ProcessIdentity.isZombie($0.pid) }) else {
      return nil
    }
    let worker = workers.remove(at: index)
    worker.source = nil
    return worker
  }

  /// Stops one: a process of the successor serves in its place.
  func dismissOne() {
    guard let worker = workers.popLast() else { return }
    PIDFD.send(generation.workload?.killSignal ?? SIGTERM, to: worker.pidfd)
    dismissed.append(worker)
  }

  func signal(_ number: CInt) {
    for worker in workers { PIDFD.send(number, to: worker.pidfd) }
  }
}
