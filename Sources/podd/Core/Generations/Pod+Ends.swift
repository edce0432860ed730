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

  func stop(_ run: Generation) {
    guard let generation = run.generation else {
      // Still being launched: the held process goes, and the launch fails.
      run.isCancelled = true
      run.held?.cancel()
      return
    }
    guard !run.isStopping else { return }
    run.isStopping = true
    recordStopCause(run)
    loopTask { await self.stop(run, generation) }
    loopTask { await self.watchConnections(of: run, generation) }
  }

  /// So that the podd after this one knows what it is in the middle of.
  func recordStopCause(_ run: Generation) {
    let cause = run === own ? lifecycle.stopCause : lifecycle.beside?.cause
    // Waited for once more, after systemd was asked already: no way back.
    let asked = run.isStopping || run.isStopAskedOnRecord
    guard let cause, (cause, asked) != (run.stopCause, run.isStopAskedOnRecord), let unit = run.unit else {
      return
    }
    (run.stopCause, run.isStopAskedOnRecord) = (cause, asked)
    host.write("why \(unit) is stopped") { store throws(StoreError) in
      try store.setStopCause(cause, asked: asked, of: unit)
    }
  }

  private func stop(_ run: Generation, _ generation: RunningScope) async {
    run.pressure?.disarm()
    let patience = run.workload?.timeoutStopUSec ?? Workload.defaultTimeoutUSec
    if lifecycle.stopCause == .health && run === own && patience > Self.patienceWithHung {
      run.timer = newTimer(Self.patienceWithHung) { _ in generation.killCgroup() }
    }
    await stopUnit(generation, run, patience: patience)
    if generation.isPopulated { generation.killCgroup() }
  }

  private func stopUnit(_ generation: RunningScope, _ run: Generation, patience: UInt64) async {
    let deadline = EventLoop.main.now().after(patience)
    do throws(BusError) {
      let result = try await host.systemd.stopUnit(generation.unit.description)
      if result == .finished(.done) { return }
      // The bus went away, or another job took its place: the program has been told, or is told by that.
      Log.warning("\(generation.unit): stop job ended with '\(result)', waiting for its end")
    } catch {
      // The bus is away: what systemd would do, by hand.
      Log.warning(
        "\(generation.unit): cannot ask systemd to stop it (\(error.message)), signalling it directly")
      generation.signal(run.workload?.killSignal ?? SIGTERM)
      run.workers?.signal(run.workload?.killSignal ?? SIGTERM)
    }
    while generation.isPopulated && EventLoop.main.now() < deadline { await EventLoop.main.sleep(100_000) }
  }

  func mainProcessEnded(_ run: Generation, _ ended: RunningScope) {
    guard run === own || run === beside else { return }
    loopTask {
      if await self.inherit(run, ended) { return }
      let evidence = ended.evidence()
      await self.clearUp(run, ended, evidence)
    }
  }

  /// With the last process of its scope the main one has ended, too, unless somebody moved it away: then no limit holds
  /// it and no stop reaches it any more.
  func scopeIsEmpty(_ run: Generation, _ generation: RunningScope) {
    guard generation.isAlive else { return }
    loopTask { [weak run, weak generation] in
      await EventLoop.main.sleep(1_000_000)
      guard let run, let generation, run.generation === generation, generation.isAlive else { return }
      Log.error("\(generation.unit): process \(generation.pid) was moved out of its scope and is killed.")
      run.workers?.signal(SIGKILL)
      generation.signal(SIGKILL)
    }
  }

  /// One of several processes takes the place of the main one, unless all of them are being stopped.
  private func inherit(_ run: Generation, _ ended: RunningScope) async -> Bool {
    guard !run.isStopping, run.workers != nil, await scopeIsActive(ended), !run.isStopping,
      let workers = run.workers,
      let heir = workers.heir(), let pidfd = try? heir.pidfd.duplicate()
    else { return false }
    let (pid, exit) = (ended.pid, RunningScope.exit(of: ended.pid))
    ended.replaceMain(pid: heir.pid, startTicks: heir.startTicks, pidfd: pidfd)
    watchProcess(run, ended)
    recordStart(ended)
    workers.oneEnded(pid, exit.map { EndReason($0) } ?? .unknownAdopted)
    return true
  }

  /// Whether systemd is not about to stop it, by whoever's wish.
  func scopeIsActive(_ generation: RunningScope) async -> Bool {
    (try? await host.systemd.activeState(generation.unit.description)) == .active
  }

  /// Nothing survives its scope: what the main process left behind is stopped with it.
  private func clearUp(_ run: Generation, _ ended: RunningScope, _ evidence: EndEvidence) async {
    var evidence = evidence
    let unit = ended.unit.description
    run.isStopping = true
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
      if run === own, state == .ready, lifecycle.beside == nil { handle(.failed(evidence.reason)) }
      await stop(run, ended)
    }
    // What was killed may still be on its way out, at worst in an uninterruptible sleep.
    var pause: UInt64 = 1_000
    while ended.isPopulated {
      await EventLoop.main.sleep(pause)
      pause = min(pause * 2, 1_000_000)
    }
    ScopeJournalFields.withdraw(ended.unit)
    closeFirewall(after: run)
    evidence.probeError = run.liveness.flatMap { $0.health.failures > 0 ? $0.health.lastError : nil }
    evidence.cutConnections = run.cutConnections
    evidence.leak = run.memory?.treatedLeak
    evidence.stalledUSec = run.memory?.treatedStallUSec
    run.evidence = evidence
    run.generation = nil
    run.liveness = nil
    tidyUp(after: run, unit)
    run.workers = nil
    if run === own { sample = nil }
    let reason = evidence.reason(stoppedFor: run.recordedStop)
    handle(run, own: .ended(reason), beside: .besideEnded(reason))
  }

  /// What nobody waits for: the next generation has another name, and is more urgent.
  private func tidyUp(after run: Generation, _ unit: String) {
    let (host, pressure) = (host, run.pressure)
    run.pressure = nil
    loopTask {
      await EventLoop.main.sleep(1_000_000)
      // It costs nothing any more once the cgroup is gone.
      pressure?.disarm()
      try? await host.systemd.unreferenceUnit(unit)
    }
  }

  /// What the pod's workload opened is closed with its last generation.
  func closeFirewall(after run: Generation) {
    let other = run === own ? beside : own
    if other == nil { host.firewall.close(name) }
  }

  func recordEnd(_ run: Generation, _ reason: EndReason) {
    run.timer = nil
    guard let unit = run.unit else { return }
    record.lastExitReason = lifecycle.lastEnd ?? reason
    let evidence = run.evidence
    let text = evidence?.json
    let now = Int64(realtimeNow())
    let detail = evidence?.sentence.map { " (\($0))" } ?? ""
    let fields =
      journalFields + [("POD_REASON", reason.description), ("POD_UNIT", unit.description)]
      + (evidence?.journalFields ?? [])
    let message = "\(unit) ended: \(reason)\(detail)."
    Log.event(.podEnded, message, priority: reason.isWanted ? .info : .warning, fields)
    host.write("the end of \(unit)") { store throws(StoreError) in
      try store.endGeneration(unit, reason: reason, evidence: text, now: now)
    }
    guard !reason.isWanted else { return }
    if let kind = reason.alert { host.alerts.raise(kind, [("MESSAGE", message)] + fields) }
    keepLastLines(of: unit, since: run.begunAt)
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
  func crewIsComplete(_ run: Generation) {
    guard run === own, case .predecessor = lifecycle.beside, let second = beside else { return }
    stop(second)
  }

  /// A predecessor whose workers are relieved one after the other goes when the last of them has.
  func stopSecond() {
    guard let second = beside else { return }
    if case .predecessor = lifecycle.beside, let workers = own?.workers, workers.count == 0,
      second.workers?.count ?? 0 > 0
    {
      return
    }
    stop(second)
  }

  // MARK: Health

  func watchHealth(_ run: Generation) {
    run.liveness = Liveness(run, of: self)
  }

  func hung(error: String) {
    Log.event(
      .podHung, "\(name) does not answer and is replaced: \(error).", priority: .error, journalFields)
    handle(.failed(.health))
  }

  // MARK: Sleep

  func freeze() async {
    guard let unit = generation?.unit.description else { return }
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
    guard let generation else { return }
    do throws(BusError) {
      try await host.systemd.thawUnit(generation.unit.description)
    } catch {
      Log.debug("\(generation.unit): \(error.message)")
    }
    generation.thaw()
    await EventLoop.main.sleep(Self.patienceWithFreezer)
    guard state == .frozen, self.generation === generation else { return }
    Log.warning("\(name) stays frozen: is a slice above it frozen, too?")
    resolve(lifecycle.lastEnd ?? .operator)
    wakeOnConnect.wakeFailed()
  }
}
