import Glibc
import PodModel
import PodStore
import Systemd

/// How a generation begins: from the decision to a program that is ready.
extension Pod {
  func request(_ run: Generation, _ unit: UnitName) -> Launcher.Request? {
    guard let tier = run.tier, let workload = run.workload else { return nil }
    return Launcher.Request(unit: unit, record: record, tier: tier, workload: workload)
  }

  func launch(_ run: Generation) async {
    await host.strayScopes.waitUntilGone(name)
    await makeRoom(for: run)
    await host.launchSlots.acquire()
    defer { host.launchSlots.release() }
    // While the bus is away nothing can be launched; that is no fault of the pod's.
    await host.busConnected()
    guard !run.isCancelled else {
      // Stopped while it waited for its turn.
      return handle(run, own: .ended(.operator), beside: .besideEnded(.operator))
    }
    armStartTimeout(run, Workload.defaultTimeoutUSec)
    do throws(LaunchFailure) {
      let generation = try await launchGeneration(run)
      started(run, generation)
    } catch {
      run.held = nil
      let reason = error.reason
      // Of what was stopped on its way, the reason of the stop is told.
      if !run.isCancelled { tellLaunchFailure(run, reason) }
      closeFirewall(after: run)
      handle(run, own: .launchFailed(reason), beside: .besideEnded(reason))
    }
  }

  private func tellLaunchFailure(_ run: Generation, _ reason: EndReason) {
    let text = "\(name) could not be launched: \(reason)"
    let unit = run.unit.map { [("POD_UNIT", $0.description)] } ?? []
    let fields = journalFields + [("POD_REASON", reason.description)] + unit
    Log.event(.podLaunchFailed, text, priority: .error, fields)
    if case .launchFailed("limits", _) = reason {
      host.alerts.raise(.limitsMismatch, [("MESSAGE", text)] + fields)
    } else {
      host.alerts.raise(.launchFailed, [("MESSAGE", text)] + fields)
    }
  }

  /// At most one generation serves a pod's data, unless its workload says that two may, and never three: what
  /// is on its way out is waited for.
  private func makeRoom(for run: Generation) async {
    while run === own, let second = beside, !run.isCancelled {
      if second.generation != nil && second.overlaps(with: nextWorkload) { return }
      stop(second)
      await waitForSecondsEnd()
    }
  }

  private func armStartTimeout(_ run: Generation, _ after: UInt64) {
    run.timer = newTimer(after) { [weak run] pod in
      if let run { pod.handle(run, own: .startTimeout, beside: .successorTimeout) }
    }
  }

  private func launchGeneration(_ run: Generation) async throws(LaunchFailure) -> RunningScope {
    let tier: Tier
    let source: WorkloadSource
    do throws(Configuration.Failure) {
      tier = try host.configuration.tier(record.tier).tier
      source = try host.configuration.workloadSource(of: tier)
    } catch {
      Log.event(.settingsError, "\(name) cannot be launched: \(error)", priority: .error, journalFields)
      throw LaunchFailure(stage: "settings", error: "EINVAL")
    }
    let workload = source.workload
    run.tier = tier
    run.source = source
    // It reads its users file as it starts; whoever comes from here on is told of afterwards.
    run.usersAreStale = false
    let expected = Launcher.Request(
      unit: UnitName(pod: name, generation: record.generation + 1), record: record, tier: tier,
      workload: workload)
    let launcher = host.launcher
    // While the disk is waited for; what the store has to say decides whether it goes on.
    let preparing = loopTask { () -> Result<LaunchProcess, LaunchFailure> in
      Result { () throws(LaunchFailure) in
        let process = try launcher.prepare(expected)
        run.held = process
        return process
      }
    }
    let users: [UserRecord]
    do throws(LaunchFailure) {
      users = try await begin(run, expected.unit)
    } catch {
      if case .success(let process) = await preparing.value { await launcher.abandon(process) }
      throw error
    }
    let process = try await preparing.value.get()
    do throws(LaunchFailure) {
      try await host.firewall.open(name, uid: record.uid, words: workload.ipAddressAllow)
    } catch {
      await launcher.abandon(process)
      throw error
    }
    armStartTimeout(run, workload.timeoutStartUSec)
    return try await launcher.launch(expected, process) { () throws(LaunchFailure) in
      do throws(UsersFile.Failure) {
        try self.writeUsersFile(users, for: run)
      } catch {
        Log.error("\(self.name): \(error)")
        if case .io(let errno) = error { throw LaunchFailure(stage: "users", errno) }
        throw LaunchFailure(stage: "users", error: "EINVAL")
      }
    }
  }

  /// Writes the generation down, before systemd hears of it, and asks who is placed here.
  private func begin(_ run: Generation, _ unit: UnitName) async throws(LaunchFailure) -> [UserRecord] {
    let begun: (generation: Int, users: [UserRecord])
    do throws(StoreError) {
      let name = name
      let now = Int64(realtimeNow())
      let restart = lifecycle.restarts > UInt64(max(0, record.restarts))
      let createdAt = record.createdAt
      let workload = run.source?.record
      begun = try await host.store.run { store throws(StoreError) in
        (
          try store.beginGeneration(
            pod: name, createdAt: createdAt, restart: restart, workload: workload, now: now),
          try store.users(ofPod: name)
        )
      }
    } catch {
      Log.error("\(name): \(error)")
      throw LaunchFailure(stage: "store", error: "EIO")
    }
    record.generation = begun.generation
    run.unit = UnitName(pod: name, generation: begun.generation)
    record.restarts = Int(clamping: lifecycle.restarts)
    guard begun.generation == unit.generation else {
      Log.error("\(name): generation \(begun.generation) is on record where \(unit.generation) comes next")
      throw LaunchFailure(stage: "store", error: "ESTALE")
    }
    return begun.users
  }

  private func started(_ run: Generation, _ generation: RunningScope) {
    run.held = nil
    run.generation = generation
    generation.notifiedReady = run.saidReady
    if !run.usersAreStale { DeliveredUsers.record(usersWritten, of: name) }
    watch(run, generation)
    Log.event(
      .podStarted, "\(name) started as \(generation.unit), main process \(generation.pid).",
      journalFields + [("POD_UNIT", generation.unit.description)])
    recordStart(generation)
    if run.isCancelled {
      // The stop came while the scope was being made.
      stop(run)
    } else {
      awaitReadiness(run)
    }
  }

  /// Writes down which process it is, by which the next podd knows it again.
  func recordStart(_ generation: RunningScope) {
    let unit = generation.unit
    let pid = generation.pid
    let ticks = generation.startTicks
    let invocation = Files.linkTarget("/run/systemd/units/invocation:\(unit)") ?? ""
    let now = Int64(realtimeNow())
    host.write("the start of \(unit)") { store throws(StoreError) in
      try store.generationStarted(
        unit, bootID: ProcessIdentity.bootID, invocationID: invocation, mainPID: pid, mainStartTicks: ticks,
        now: now)
    }
  }

  private func watch(_ run: Generation, _ generation: RunningScope) {
    generation.watchCgroup(
      onFreeze: { [weak self] isFrozen in
        if run === self?.own { self?.handle(isFrozen ? .frozen : .thawed) }
      }, onEmpty: { [weak self] in self?.scopeIsEmpty(run, generation) })
    host.sliceOOMs.begin(above: generation.cgroupPath)
    run.pressure = host.pressure.watch(self, path: generation.cgroupPath)
    host.memory.began(run, of: self)
    watchProcess(run, generation)
  }

  func watchProcess(_ run: Generation, _ generation: RunningScope) {
    do throws(Errno) {
      try generation.watchProcess { [weak self] in self?.mainProcessEnded(run, generation) }
    } catch {
      Log.error("\(name): cannot watch its main process: \(error)")
    }
  }

  // MARK: Adoption

  /// A scope found running: podd was restarted.
  func adopt(
    _ generation: RunningScope, _ begun: GenerationRecord, tier: Tier?, source: WorkloadSource?
  ) {
    let run = adopted(generation, begun, tier, source)
    let workload = source?.workload
    let ready = begun.readyAt != nil
    generation.notifiedReady = ready
    host.firewall.note(name, uid: record.uid, words: workload?.ipAddressAllow ?? [])
    adopt(run, ready: ready, since: begun.readyAt.map { UInt64(max(0, $0)) })
    watch(run, generation)
    if ready {
      watchHealth(run)
      if let workers = workers(of: run) {
        workers.adopt(generation.otherRoots())
        workers.fill()
      }
    } else {
      armStartTimeout(run, workload?.timeoutStartUSec ?? Workload.defaultTimeoutUSec)
      awaitReadiness(run)
    }
  }

  /// The one that was being relieved, or was to relieve and never got ready: it is led to its end.
  func adoptPredecessor(
    _ generation: RunningScope, _ begun: GenerationRecord, tier: Tier?, source: WorkloadSource?
  ) {
    let run = adopted(generation, begun, tier, source)
    adoptPredecessor(run)
    watch(run, generation)
    stop(run)
  }

  private func adopted(
    _ generation: RunningScope, _ begun: GenerationRecord, _ tier: Tier?, _ source: WorkloadSource?
  ) -> Generation {
    let run = Generation()
    run.begunAt = UInt64(max(0, begun.begunAt))
    run.unit = generation.unit
    (run.stopCause, run.isStopAskedOnRecord) = (begun.stopCause, begun.stopAsked)
    run.generation = generation
    run.tier = tier
    run.source = source
    Log.event(
      .podAdopted, "\(name) runs on as \(generation.unit), main process \(generation.pid).",
      journalFields + [("POD_UNIT", generation.unit.description)])
    return run
  }

  // MARK: Readiness

  private func awaitReadiness(_ run: Generation) {
    guard let workload = run.workload, let generation = run.generation else { return }
    if generation.notifiedReady {
      becameReady(run)
      return
    }
    // An adopted program may have said READY=1 while podd was away: then its probe tells.
    if workload.type == .notify && !generation.adopted { return }
    guard let probe = workload.probe else {
      becameReady(run)
      return
    }
    loopTask { await self.probeUntilReady(run, probe, timeoutUSec: workload.probeTimeoutUSec) }
  }

  /// A program that binds by itself raises no event when it is there: asked again and again, at growing
  /// intervals, until the start timeout ends it.
  private func probeUntilReady(_ run: Generation, _ probe: Workload.Probe, timeoutUSec: UInt64) async {
    var pause: UInt64 = 10_000
    while run === own && state == .starting {
      let answer = await Prober.ask(probe, record, timeoutUSec: timeoutUSec) { self.probePort = $0 }
      guard run === own && state == .starting else { return }
      if case .alive = answer {
        probePort = nil
        becameReady(run)
        return
      }
      await EventLoop.main.sleep(pause)
      pause = min(pause * 3 / 2, 1_000_000)
    }
  }

  private func becameReady(_ run: Generation) {
    if run === own {
      guard state == .starting else { return }
      handle(.ready)
      logReadiness(run)
      host.write("the readiness of \(name)", readiness(of: run, at: since))
      afterReadiness(run)
    } else if run === beside, !run.isStopping {
      loopTask { await self.relieve(by: run) }
    }
  }

  /// The successor's readiness is on the disk before the one that serves is told to go: were podd to end in
  /// between, the next one would know which of the two to keep.
  private func relieve(by run: Generation) async {
    let readyAt = realtimeNow()
    do throws(StoreError) {
      try await host.store.run(readiness(of: run, at: readyAt))
    } catch {
      Log.error("Cannot record the readiness of \(name): \(error)")
    }
    // The one that served may have died meanwhile.
    workers(of: run)
    handle(run, own: .ready, beside: .successorReady, at: readyAt)
    guard run === own, state == .ready else { return }
    logReadiness(run)
    afterReadiness(run)
  }

  private func logReadiness(_ run: Generation) {
    Log.event(
      .podReady, "\(name) is ready.", journalFields + [("POD_UNIT", run.unit?.description ?? "")])
  }

  /// - Parameter time: Also what is shown as `since`, so that the next podd shows the same. CLOCK_REALTIME, microseconds.
  private func readiness(
    of run: Generation, at time: UInt64
  ) -> @Sendable (PlacementStore) throws(StoreError) -> Void {
    let unit = run.unit
    return { store throws(StoreError) in
      if let unit { try store.generationReady(unit, now: Int64(time)) }
    }
  }

  private func afterReadiness(_ run: Generation) {
    tellStaleUsers()
    watchHealth(run)
    host.workloadVersions.served(run, of: self)
    workers(of: run)?.fill()
    // Of a generation that died before it had relieved it wholly.
    if run.workers == nil { crewIsComplete(run) }
  }

  /// Made when it is asked for first: before the predecessor is told to go.
  @discardableResult
  private func workers(of run: Generation) -> Workers? {
    if run.workers == nil { run.workers = Workers(run, of: self) }
    return run.workers
  }

  /// What a process of the pod said on the notify socket. With two generations, its cgroup tells whose it is.
  func notified(_ pid: pid_t, _ lines: [Substring]) {
    guard lines.contains("READY=1"), let run = speaker(pid) else { return }
    if run.workers?.notified(pid) ?? false { return }
    guard let generation = run.generation else {
      // Said before pod-launch's control socket told that the program runs: taken up by started().
      run.saidReady = true
      return
    }
    generation.notifiedReady = true
    if run === own, let waiting = reloadAnswered {
      reloadAnswered = nil
      waiting.resume()
    }
    if run.workload?.type == .notify { becameReady(run) }
  }

  private func speaker(_ pid: pid_t) -> Generation? {
    let runs = [own, beside].compactMap { $0 }
    guard runs.count > 1 else { return runs.first }
    if let exact = runs.first(where: { $0.generation?.pid == pid || $0.held?.pid == pid }) { return exact }
    let unit = ProcessIdentity.cgroup(of: pid)?.split(separator: "/").last
    return runs.first { run in unit.map { run.unit?.description == String($0) } ?? false } ?? runs.last
  }
}
