import Glibc
import Linux
import PodModel
import PodStore
import Systemd
import Time

/// How a generation is stopped and ends, whoever ended it, and what is recorded of it.
extension Generation {
  /// A pod that does not answer is not likely to stop when asked to: it is given this long.
  private static let patienceWithHung: Microseconds = .seconds(10)
  /// How long somebody who waits for a thaw waits.
  private static let patienceWithFreezer: Microseconds = .seconds(5)
  /// When the kernel reports an empty scope, the end of its main process is known within this time.
  private static let exitAfterEmpty: Microseconds = .seconds(1)
  /// A launch follows most ends and needs PID 1, the disk and the processors more. Nothing reports that it is over: it
  /// may come after a backoff, and its program loads after the launch.
  private static let unreferenceAfter: Microseconds = .seconds(1)
  private static let lastLinesAfter: Microseconds = .seconds(2)

  // MARK: Being stopped

  /// So that the next podd knows what it is in the middle of.
  func recordStop(_ record: GenerationLife.StopRecord) {
    guard let unit else { return }
    host.write("why \(unit) is stopped") { store throws(StoreError) in
      try store.setStopCause(record.cause, asked: record.isAsked, of: unit)
    }
  }

  func stopUnit(isHung: Bool) {
    guard let scope else { return }
    let patience = workload?.timeoutStop ?? Workload.defaultTimeout
    if isHung && patience > Self.patienceWithHung {
      killTimer = timer(Self.patienceWithHung) { _ in scope.killCgroup() }
    }
    loopTask {
      self.pressure?.disarm()
      await self.stopUnit(of: scope, patience: patience)
      if scope.isPopulated { scope.killCgroup() }
    }
  }

  private func stopUnit(of scope: RunningScope, patience: Microseconds) async {
    let deadline = EventLoop.main.now() + patience
    do throws(BusError) {
      let result = try await host.systemd.stopUnit(scope.unit.description)
      if result == .finished(.done) { return }
      // The bus went away, or another job took the place of this one: the program was asked to stop, or is asked by that.
      Log.warning("\(scope.unit): stop job ended with '\(result)', waiting for its end")
    } catch {
      // The bus is away: podd does what systemd would do.
      Log.warning(
        "\(scope.unit): cannot ask systemd to stop it (\(error.message)), signalling it directly")
      scope.signal(workload?.killSignal ?? SIGTERM)
      workers?.signal(workload?.killSignal ?? SIGTERM)
    }
    await scope.untilEmpty(by: deadline)
  }

  // MARK: The main process has ended

  func askWhetherActive() {
    loopTask { self.report(.scopeIsActive(await self.isActive)) }
  }

  /// Whether systemd is not about to stop the scope, whoever wants that.
  var isActive: Bool {
    get async {
      guard let scope else { return false }
      return (try? await host.systemd.activeState(scope.unit.description)) == .active
    }
  }

  /// One of several processes takes the place of the main one.
  func inherit() {
    guard let scope, let workers, let heir = workers.heir(), let pidfd = try? heir.pidfd.duplicate() else {
      return report(.inherited(false))
    }
    let (pid, exit) = (scope.pid, RunningScope.reap(scope.pid))
    scope.replaceMain(pid: heir.pid, startTicks: heir.startTicks, pidfd: pidfd)
    watchProcess()
    report(.inherited(true))
    workers.oneEnded(pid, exit.map { EndReason($0) } ?? .unknownAdopted)
  }

  /// With the last process of its scope the main one has ended, too, unless somebody moved it out: then no limit holds
  /// it and no stop reaches it any more.
  func scopeIsEmpty() {
    guard let scope, scope.isAlive else { return }
    loopTask { [weak self, weak scope] in
      await EventLoop.main.sleep(Self.exitAfterEmpty)
      guard let self, let scope, self.scope === scope, scope.isAlive else { return }
      Log.error("\(scope.unit): process \(scope.pid) was moved out of its scope and is killed.")
      self.workers?.signal(SIGKILL)
      scope.signal(SIGKILL)
    }
  }

  func collectEvidence() {
    guard let scope else { return }
    let evidence = scope.finish()
    loopTask {
      let complete = await self.complete(evidence, of: scope)
      self.report(.evidence(complete, scopeIsEmpty: !scope.isPopulated))
    }
  }

  /// Adds what the slice and systemd know.
  private func complete(_ evidence: EndEvidence, of scope: RunningScope) async -> EndEvidence {
    var evidence = evidence
    guard evidence.needsSlice else { return evidence }
    let inSlice = host.sliceOOMs.change(above: scope.cgroupPath)
    if evidence.countersAreLost {
      (evidence.killedInSlice, evidence.ownLimitInSlice) = (inSlice?.hasKilled, inSlice?.metOwnLimit)
    }
    if evidence.needsUnitResult(sliceHasKilled: inSlice?.hasKilled) {
      evidence.unitResult = try? await host.systemd.result(ofScope: scope.unit.description)
    }
    return evidence
  }

  /// A killed process may still be on its way out, at worst in an uninterruptible sleep.
  func awaitEmptyScope() {
    guard let scope else { return report(.scopeEmpty) }
    loopTask {
      await scope.untilEmpty()
      self.report(.scopeEmpty)
    }
  }

  // MARK: The end

  func cleanUp() {
    guard let scope else { return }
    ScopeJournalFields.withdraw(scope.unit)
    probeError = liveness.flatMap { $0.health.failures > 0 ? $0.health.lastError : nil }
    startTimer = nil
    killTimer = nil
    self.scope = nil
    liveness = nil
    workers = nil
    sample = nil
    unreferenceLater(scope.unit.description)
  }

  /// Nobody waits for this: the next generation has another name, and is more urgent.
  private func unreferenceLater(_ unit: String) {
    let pressure = pressure.take()
    loopTask {
      await EventLoop.main.sleep(Self.unreferenceAfter)
      // It costs nothing any more once the cgroup is gone.
      pressure?.disarm()
      try? await self.host.systemd.unreferenceUnit(unit)
    }
  }

  func recordEnd(of unit: UnitName, _ reason: EndReason, _ collected: EndEvidence?) {
    startTimer = nil
    killTimer = nil
    var evidence = collected
    evidence?.probeError = probeError
    evidence?.cutConnections = cutConnections
    evidence?.leak = memory?.treatedLeak
    evidence?.stalled = memory?.treatedStall
    let text = evidence?.json
    let now = Clock.wall
    host.report(.ended(pod.subject, unit: unit, reason: reason, evidence: evidence))
    host.figures.ended(tier: pod.record.tier, reason)
    host.write("the end of \(unit)") { store throws(StoreError) in
      try store.endGeneration(unit, reason: reason, evidence: text, now: now)
    }
    if !reason.isWanted { keepLastLines(of: unit) }
  }

  /// The last lines that it wrote belong to the evidence. Reading them takes processes and time that the next launch
  /// needs more.
  private func keepLastLines(of unit: UnitName) {
    let (host, begun) = (host, begun)
    loopTask {
      await EventLoop.main.sleep(Self.lastLinesAfter)
      let lines = await LogTail.lastLines(of: unit.description, since: begun, count: 5)
      guard !lines.isEmpty else { return }
      host.write("the last lines of \(unit)") { store throws(StoreError) in
        try store.addLog(to: unit, lines: lines)
      }
    }
  }

  // MARK: Sleep

  func freeze() {
    guard let unit = scope?.unit.description else { return }
    pod.freezing = loopTask {
      do throws(BusError) {
        try await self.host.systemd.freezeUnit(unit)
        // The kernel's notification may come a moment later.
        self.report(.frozen)
      } catch {
        Log.warning("\(self.name) cannot be frozen: \(error.message)")
      }
    }
  }

  /// Also what others than systemd froze: systemd remembers what it froze itself, the kernel everything.
  func thaw() {
    guard let scope else { return }
    loopTask {
      do throws(BusError) {
        try await self.host.systemd.thawUnit(scope.unit.description)
      } catch {
        Log.debug("\(scope.unit): \(error.message)")
      }
      scope.thaw()
      await EventLoop.main.sleep(Self.patienceWithFreezer)
      guard self.isCurrent, self.pod.state == .frozen else { return }
      Log.warning("\(self.name) stays frozen: is a slice above it frozen, too?")
      self.pod.thawFailed()
    }
  }
}
