import Glibc
import PodModel
import PodStore
import Systemd

/// How a generation ends, whoever ended it, and what is recorded of it.
extension Pod {
  /// A pod that does not answer is not likely to stop when asked to: it is given this long, microseconds.
  private static let patienceWithHung: UInt64 = 10_000_000
  /// How long whoever waits for a thaw waits, microseconds.
  private static let patienceWithFreezer: UInt64 = 5_000_000

  func stop(_ generation: Generation) {
    guard let scope = generation.scope else {
      // Still being launched: the held process goes, and the launch fails.
      generation.isCancelled = true
      generation.parked?.cancel()
      return
    }
    guard !generation.isStopping else { return }
    generation.isStopping = true
    recordStopCause(generation)
    loopTask { await self.stop(generation, scope) }
    loopTask { await self.watchConnections(of: generation, scope) }
  }

  /// So that the podd after this one knows what it is in the middle of.
  func recordStopCause(_ generation: Generation) {
    let cause = generation === current ? lifecycle.stopCause : lifecycle.beside?.cause
    // Waited for once more, after systemd was asked already: no way back.
    let asked = generation.isStopping || generation.isStopAskedOnRecord
    guard let cause, (cause, asked) != (generation.stopCause, generation.isStopAskedOnRecord),
      let unit = generation.unit
    else {
      return
    }
    (generation.stopCause, generation.isStopAskedOnRecord) = (cause, asked)
    host.write("why \(unit) is stopped") { store throws(StoreError) in
      try store.setStopCause(cause, asked: asked, of: unit)
    }
  }

  private func stop(_ generation: Generation, _ scope: RunningScope) async {
    generation.pressure?.disarm()
    let patience = generation.workload?.timeoutStopUSec ?? Workload.defaultTimeoutUSec
    if lifecycle.stopCause == .health && generation === current && patience > Self.patienceWithHung {
      generation.timer = newTimer(Self.patienceWithHung) { _ in scope.killCgroup() }
    }
    await stopUnit(scope, generation, patience: patience)
    if scope.isPopulated { scope.killCgroup() }
  }

  private func stopUnit(_ scope: RunningScope, _ generation: Generation, patience: UInt64) async {
    let deadline = EventLoop.main.now().after(patience)
    do throws(BusError) {
      let result = try await host.systemd.stopUnit(scope.unit.description)
      if result == .finished(.done) { return }
      // The bus went away, or another job took its place: the program has been told, or is told by that.
      Log.warning("\(scope.unit): stop job ended with '\(result)', waiting for its end")
    } catch {
      // The bus is away: what systemd would do, by hand.
      Log.warning(
        "\(scope.unit): cannot ask systemd to stop it (\(error.message)), signalling it directly")
      scope.signal(generation.workload?.killSignal ?? SIGTERM)
      generation.workers?.signal(generation.workload?.killSignal ?? SIGTERM)
    }
    await scope.untilEmpty(by: deadline)
  }

  func mainProcessEnded(_ generation: Generation, _ ended: RunningScope) {
    guard generation === current || generation === other else { return }
    loopTask {
      if await self.inherit(generation, ended) { return }
      let evidence = ended.finish()
      await self.clearUp(generation, ended, evidence)
    }
  }

  /// With the last process of its scope the main one has ended, too, unless somebody moved it away: then no limit holds
  /// it and no stop reaches it any more.
  func scopeIsEmpty(_ generation: Generation, _ scope: RunningScope) {
    guard scope.isAlive else { return }
    loopTask { [weak generation, weak scope] in
      await EventLoop.main.sleep(1_000_000)
      guard let generation, let scope, generation.scope === scope, scope.isAlive else { return }
      Log.error("\(scope.unit): process \(scope.pid) was moved out of its scope and is killed.")
      generation.workers?.signal(SIGKILL)
      scope.signal(SIGKILL)
    }
  }

  /// One of several processes takes the place of the main one, unless all of them are being stopped.
  private func inherit(_ generation: Generation, _ ended: RunningScope) async -> Bool {
    guard !generation.isStopping, generation.workers != nil, await scopeIsActive(ended),
      !generation.isStopping,
      let workers = generation.workers,
      let heir = workers.heir(), let pidfd = try? heir.pidfd.duplicate()
    else { return false }
    let (pid, exit) = (ended.pid, RunningScope.reap(ended.pid))
    ended.replaceMain(pid: heir.pid, startTicks: heir.startTicks, pidfd: pidfd)
    watchProcess(generation, ended)
    recordStart(ended)
    workers.oneEnded(pid, exit.map { EndReason($0) } ?? .unknownAdopted)
    return true
  }

  /// Whether systemd is not about to stop it, by whoever's wish.
  func scopeIsActive(_ scope: RunningScope) async -> Bool {
    (try? await host.systemd.activeState(scope.unit.description)) == .active
  }

  /// Nothing survives its scope: what the main process left behind is stopped with it.
  private func clearUp(_ generation: Generation, _ ended: RunningScope, _ evidence: EndEvidence) async {
    var evidence = evidence
    let unit = ended.unit.description
    generation.isStopping = true
    // podd was not the parent, or the counters went with the cgroup, as they do whenever systemd is faster.
    let isDoubtful = evidence.exit.map { $0 == .signal("KILL") && evidence.countersAreLost } ?? true
    if evidence.oomKills > 0 || isDoubtful {
      let inSlice = host.sliceOOMs.change(above: ended.cgroupPath)
      if evidence.countersAreLost {
        (evidence.killedInSlice, evidence.ownLimitInSlice) = (inSlice?.hasKilled, inSlice?.metOwnLimit)
      }
      if evidence.oomKills > 0 || evidence.exit == nil || inSlice?.hasKilled ?? true {
        evidence.unitResult = try? await host.systemd.result(ofScope: unit)
      }
    }
    if ended.isPopulated {
      // With nobody to serve it is not ready any more, however long what is left takes.
      if generation === current, state == .ready, lifecycle.beside == nil { handle(.failed(evidence.reason)) }
      await stop(generation, ended)
    }
    // What was killed may still be on its way out, at worst in an uninterruptible sleep.
    await ended.untilEmpty()
    ScopeJournalFields.withdraw(ended.unit)
    closeFirewall(after: generation)
    evidence.probeError = generation.liveness.flatMap { $0.health.failures > 0 ? $0.health.lastError : nil }
    evidence.cutConnections = generation.cutConnections
    evidence.leak = generation.memory?.treatedLeak
    evidence.stalledUSec = generation.memory?.treatedStallUSec
    generation.evidence = evidence
    generation.scope = nil
    generation.liveness = nil
    tidyUp(after: generation, unit)
    generation.workers = nil
    if generation === current { sample = nil }
    let reason = evidence.reason(stoppedFor: generation.recordedStop)
    handle(generation, own: .ended(reason), beside: .besideEnded(reason))
  }

  /// What nobody waits for: the next generation has another name, and is more urgent.
  private func tidyUp(after generation: Generation, _ unit: String) {
    let (host, pressure) = (host, generation.pressure)
    generation.pressure = nil
    loopTask {
      await EventLoop.main.sleep(1_000_000)
      // It costs nothing any more once the cgroup is gone.
      pressure?.disarm()
      try? await host.systemd.unreferenceUnit(unit)
    }
  }

  /// What the pod's workload opened is closed with its last generation.
  func closeFirewall(after generation: Generation) {
    let remaining = generation === current ? other : current
    if remaining == nil { host.firewall.close(name) }
  }

  func recordEnd(_ generation: Generation, _ reason: EndReason) {
    generation.timer = nil
    guard let unit = generation.unit else { return }
    record.lastExitReason = lifecycle.lastEnd ?? reason
    let evidence = generation.evidence
    let text = evidence?.json
    let now = Int64(realtimeNow())
    let detail = evidence?.sentence.map { " (\($0))" } ?? ""
    let fields =
      journalFields + [("POD_REASON", reason.description), ("POD_UNIT", unit.description)]
      + (evidence?.journalFields.named ?? [])
    let message = "\(unit) ended: \(reason)\(detail)."
    Log.event(.podEnded, message, priority: reason.isWanted ? .info : .warning, fields)
    host.write("the end of \(unit)") { store throws(StoreError) in
      try store.endGeneration(unit, reason: reason, evidence: text, now: now)
    }
    guard !reason.isWanted else { return }
    if let kind = reason.alert { host.alerts.raise(kind, [("MESSAGE", message)] + fields) }
    keepLastLines(of: unit, since: generation.begunAt)
  }

  /// What it said last belongs to the evidence. Reading it takes processes and time that the next launch needs more.
  private func keepLastLines(of unit: UnitName, since begunAt: UInt64) {
    loopTask {
      await EventLoop.main.sleep(2_000_000)
      let lines = await LogTail.lastLines(of: unit.description, since: begunAt, count: 5)
      guard !lines.isEmpty else { return }
      self.host.write("the last words of \(unit)") { store throws(StoreError) in
        try store.addLog(to: unit, lines: lines)
      }
    }
  }

  // MARK: Workers

  func tellWorkerEnded(_ pid: pid_t, _ reason: EndReason) {
    let text = "A worker of \(name), process \(pid), ended: \(reason). The others serve on."
    let fields = journalFields + [("POD_REASON", reason.description)]
    Log.event(.workerEnded, text, priority: .warning, fields)
    host.alerts.raise(.end, [("MESSAGE", text)] + fields)
  }

  /// The own generation has all its processes: what is left of the one before is told to go.
  func workersAreComplete(_ generation: Generation) {
    guard generation === current, case .predecessor = lifecycle.beside, let other else { return }
    stop(other)
  }

  /// A predecessor whose workers are relieved one after the other goes when the last of them has.
  func stopOther() {
    guard let other else { return }
    if case .predecessor = lifecycle.beside, let workers = current?.workers, workers.count == 0,
      other.workers?.count ?? 0 > 0
    {
      return
    }
    stop(other)
  }

  // MARK: Health

  func watchHealth(_ generation: Generation) {
    generation.liveness = Liveness(generation, of: self)
  }

  func hung(error: String) {
    Log.event(
      .podHung, "\(name) does not answer and is replaced: \(error).", priority: .error, journalFields)
    handle(.failed(.health))
  }

  // MARK: Sleep

  func freeze() async {
    guard let unit = scope?.unit.description else { return }
    do throws(BusError) {
      try await host.systemd.freezeUnit(unit)
      // The kernel's own word may come a moment later.
      handle(.frozen)
    } catch {
      Log.warning("\(name) cannot be frozen: \(error.message)")
    }
  }

  /// Whoever froze it: systemd keeps a word of its own on what it froze, the kernel one on all.
  func thaw() async {
    guard let scope else { return }
    do throws(BusError) {
      try await host.systemd.thawUnit(scope.unit.description)
    } catch {
      Log.debug("\(scope.unit): \(error.message)")
    }
    scope.thaw()
    await EventLoop.main.sleep(Self.patienceWithFreezer)
    guard state == .frozen, self.scope === scope else { return }
    Log.warning("\(name) stays frozen: is a slice above it frozen, too?")
    resolve(lifecycle.lastEnd ?? .operator)
    wakeOnConnect.wakeFailed()
  }
}
