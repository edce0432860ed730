import Glibc
import PodModel
import PodStore
import Systemd

/// How a generation begins: from the decision to a program that is ready.
extension Pod {
  func request(_ generation: Generation, _ unit: UnitName) -> Launcher.Request? {
    guard let tier = generation.tier, let workload = generation.workload else { return nil }
    return Launcher.Request(unit: unit, record: record, tier: tier, workload: workload)
  }

  func launch(_ generation: Generation) async {
    await host.strayScopes.waitUntilGone(name)
    await makeRoom(for: generation)
    await host.launchSlots.acquire()
    defer { host.launchSlots.release() }
    // While the bus is away nothing can be launched; that is no fault of the pod's.
    await host.busConnected()
    guard !generation.isCancelled else {
      // Stopped while it waited for its turn.
      return handle(generation, own: .ended(.operator), beside: .besideEnded(.operator))
    }
    armStartTimeout(generation, Workload.defaultTimeoutUSec)
    do throws(LaunchFailure) {
      let scope = try await launchGeneration(generation)
      started(generation, scope)
    } catch {
      generation.parked = nil
      let reason = error.reason
      // Of what was stopped on its way, the reason of the stop is told.
      if !generation.isCancelled { tellLaunchFailure(generation, reason) }
      closeFirewall(after: generation)
      handle(generation, own: .launchFailed(reason), beside: .besideEnded(reason))
    }
  }

  private func tellLaunchFailure(_ generation: Generation, _ reason: EndReason) {
    let text = "\(name) could not be launched: \(reason)"
    let unit = generation.unit.map { [("POD_UNIT", $0.description)] } ?? []
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
  private func makeRoom(for generation: Generation) async {
    while generation === current, let other, !generation.isCancelled {
      if other.scope != nil && other.overlaps(with: nextWorkload) { return }
      stop(other)
      await waitForOthersEnd()
    }
  }

  private func armStartTimeout(_ generation: Generation, _ after: UInt64) {
    generation.timer = newTimer(after) { [weak generation] pod in
      if let generation { pod.handle(generation, own: .startTimeout, beside: .successorTimeout) }
    }
  }

  private func launchGeneration(_ generation: Generation) async throws(LaunchFailure) -> RunningScope {
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
    generation.tier = tier
    generation.source = source
    // It reads its users file as it starts; whoever comes from here on is told of afterwards.
    generation.usersAreStale = false
    let expected = Launcher.Request(
      unit: UnitName(pod: name, generation: record.generation + 1), record: record, tier: tier,
      workload: workload)
    let launcher = host.launcher
    // While the disk is waited for; what the store has to say decides whether it goes on.
    let preparing = loopTask { () -> Result<LaunchProcess, LaunchFailure> in
      Result { () throws(LaunchFailure) in
        let process = try launcher.park(expected)
        generation.parked = process
        return process
      }
    }
    let users: [UserRecord]
    do throws(LaunchFailure) {
      users = try await begin(generation, expected.unit)
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
    armStartTimeout(generation, workload.timeoutStartUSec)
    do throws(LaunchFailure) {
      let scope = try await launcher.startScope(expected, process) { () async throws(LaunchFailure) in
        try await self.writeUsersFile(users, asLaunching: generation)
      }
      try launcher.verifyLimits(of: scope, expected)
      try await launcher.release(expected, process)
      return scope
    } catch {
      await launcher.abandon(expected, process)
      throw error
    }
  }

  private func writeUsersFile(
    _ users: [UserRecord], asLaunching generation: Generation
  ) async throws(LaunchFailure) {
    do throws(UsersFile.Failure) {
      try await writeUsersFile(users, for: generation)
    } catch {
      Log.error("\(name): \(error)")
      if case .io(let errno) = error { throw LaunchFailure(stage: "users", errno) }
      throw LaunchFailure(stage: "users", error: "EINVAL")
    }
  }

  /// Writes the generation down, before systemd hears of it, and asks who is placed here.
  private func begin(_ generation: Generation, _ unit: UnitName) async throws(LaunchFailure) -> [UserRecord] {
    let begun: (generation: Int, users: [UserRecord])
    do throws(StoreError) {
      let name = name
      let now = Int64(realtimeNow())
      let restart = lifecycle.restarts > UInt64(max(0, record.restarts))
      let createdAt = record.createdAt
      let workload = generation.source?.record
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
    generation.unit = UnitName(pod: name, generation: begun.generation)
    record.restarts = Int(clamping: lifecycle.restarts)
    guard begun.generation == unit.generation else {
      Log.error("\(name): generation \(begun.generation) is on record where \(unit.generation) comes next")
      throw LaunchFailure(stage: "store", error: "ESTALE")
    }
    return begun.users
  }

  private func started(_ generation: Generation, _ scope: RunningScope) {
    generation.parked = nil
    generation.scope = scope
    scope.notifiedReady = generation.saidReady
    if !generation.usersAreStale { DeliveredUsers.record(usersWritten, of: name) }
    watch(generation, scope)
    Log.event(
      .podStarted, "\(name) started as \(scope.unit), main process \(scope.pid).",
      journalFields + [("POD_UNIT", scope.unit.description)])
    recordStart(scope)
    if generation.isCancelled {
      // The stop came while the scope was being made.
      stop(generation)
    } else {
      awaitReadiness(generation)
    }
  }

  /// Writes down which process it is, by which the next podd knows it again.
  func recordStart(_ scope: RunningScope) {
    let unit = scope.unit
    let pid = scope.pid
    let ticks = scope.startTicks
    let invocation = Files.linkTarget("/run/systemd/units/invocation:\(unit)") ?? ""
    let now = Int64(realtimeNow())
    host.write("the start of \(unit)") { store throws(StoreError) in
      try store.generationStarted(
        unit, bootID: ProcessIdentity.bootID, invocationID: invocation, mainPID: pid, mainStartTicks: ticks,
        now: now)
    }
  }

  private func watch(_ generation: Generation, _ scope: RunningScope) {
    scope.watchCgroup(
      onFreeze: { [weak self] isFrozen in
        if generation === self?.current { self?.handle(isFrozen ? .frozen : .thawed) }
      }, onEmpty: { [weak self] in self?.scopeIsEmpty(generation, scope) })
    host.sliceOOMs.begin(above: scope.cgroupPath)
    generation.pressure = host.pressure.watch(self, path: scope.cgroupPath)
    host.memory.began(generation, of: self)
    watchProcess(generation, scope)
  }

  func watchProcess(_ generation: Generation, _ scope: RunningScope) {
    do throws(Errno) {
      try scope.watchProcess { [weak self] in self?.mainProcessEnded(generation, scope) }
    } catch {
      Log.error("\(name): cannot watch its main process: \(error)")
    }
  }

  // MARK: Adoption

  /// A scope found running: podd was restarted.
  func adopt(
    _ scope: RunningScope, _ begun: GenerationRecord, tier: Tier?, source: WorkloadSource?
  ) {
    let generation = adopted(scope, begun, tier, source)
    let workload = source?.workload
    let ready = begun.readyAt != nil
    scope.notifiedReady = ready
    host.firewall.note(name, uid: record.uid, words: workload?.ipAddressAllow ?? [])
    adopt(generation, ready: ready, since: begun.readyAt.map { UInt64(max(0, $0)) })
    watch(generation, scope)
    if ready {
      watchHealth(generation)
      if let workers = workers(of: generation) {
        workers.adopt(scope.otherRoots())
        workers.fill()
      }
    } else {
      armStartTimeout(generation, workload?.timeoutStartUSec ?? Workload.defaultTimeoutUSec)
      awaitReadiness(generation)
    }
  }

  /// The one that was being relieved, or was to relieve and never got ready: it is led to its end.
  func adoptPredecessor(
    _ scope: RunningScope, _ begun: GenerationRecord, tier: Tier?, source: WorkloadSource?
  ) {
    let generation = adopted(scope, begun, tier, source)
    adoptPredecessor(generation)
    watch(generation, scope)
    stop(generation)
  }

  private func adopted(
    _ scope: RunningScope, _ begun: GenerationRecord, _ tier: Tier?, _ source: WorkloadSource?
  ) -> Generation {
    let generation = Generation()
    generation.begunAt = UInt64(max(0, begun.begunAt))
    generation.unit = scope.unit
    (generation.stopCause, generation.isStopAskedOnRecord) = (begun.stopCause, begun.stopAsked)
    generation.scope = scope
    generation.tier = tier
    generation.source = source
    Log.event(
      .podAdopted, "\(name) runs on as \(scope.unit), main process \(scope.pid).",
      journalFields + [("POD_UNIT", scope.unit.description)])
    return generation
  }

  // MARK: Readiness

  private func awaitReadiness(_ generation: Generation) {
    guard let workload = generation.workload, let scope = generation.scope else { return }
    if scope.notifiedReady {
      becameReady(generation)
      return
    }
    // An adopted program may have said READY=1 while podd was away: then its probe tells.
    if workload.type == .notify && !scope.adopted { return }
    guard let probe = workload.probe else {
      becameReady(generation)
      return
    }
    loopTask { await self.probeUntilReady(generation, probe, timeoutUSec: workload.probeTimeoutUSec) }
  }

  /// A program that binds by itself raises no event when it is there: asked again and again, at growing
  /// intervals, until the start timeout ends it.
  private func probeUntilReady(_ generation: Generation, _ probe: Workload.Probe, timeoutUSec: UInt64) async {
    var pause: UInt64 = 10_000
    while generation === current && state == .starting {
      let answer = await Prober.ask(probe, record, timeoutUSec: timeoutUSec) { self.probePort = $0 }
      guard generation === current && state == .starting else { return }
      if case .alive = answer {
        probePort = nil
        becameReady(generation)
        return
      }
      await EventLoop.main.sleep(pause)
      pause = min(pause * 3 / 2, 1_000_000)
    }
  }

  private func becameReady(_ generation: Generation) {
    if generation === current {
      guard state == .starting else { return }
      handle(.ready)
      logReadiness(generation)
      host.write("the readiness of \(name)", readiness(of: generation, at: since))
      afterReadiness(generation)
    } else if generation === other, !generation.isStopping {
      loopTask { await self.relieve(by: generation) }
    }
  }

  /// The successor's readiness is on the disk before the one that serves is told to go: were podd to end in
  /// between, the next one would know which of the two to keep.
  private func relieve(by generation: Generation) async {
    let readyAt = realtimeNow()
    do throws(StoreError) {
      try await host.store.run(readiness(of: generation, at: readyAt))
    } catch {
      Log.error("Cannot record the readiness of \(name): \(error)")
    }
    // The one that served may have died meanwhile.
    workers(of: generation)
    handle(generation, own: .ready, beside: .successorReady, at: readyAt)
    guard generation === current, state == .ready else { return }
    logReadiness(generation)
    afterReadiness(generation)
  }

  private func logReadiness(_ generation: Generation) {
    Log.event(
      .podReady, "\(name) is ready.", journalFields + [("POD_UNIT", generation.unit?.description ?? "")])
  }

  /// - Parameter time: Also what is shown as `since`, so that the next podd shows the same. CLOCK_REALTIME, microseconds.
  private func readiness(
    of generation: Generation, at time: UInt64
  ) -> @Sendable (PlacementStore) throws(StoreError) -> Void {
    let unit = generation.unit
    return { store throws(StoreError) in
      if let unit { try store.generationReady(unit, now: Int64(time)) }
    }
  }

  private func afterReadiness(_ generation: Generation) {
    tellStaleUsers()
    watchHealth(generation)
    host.workloadVersions.served(generation, of: self)
    workers(of: generation)?.fill()
    // Of a generation that died before it had relieved it wholly.
    if generation.workers == nil { workersAreComplete(generation) }
  }

  /// Made when it is asked for first: before the predecessor is told to go.
  @discardableResult
  private func workers(of generation: Generation) -> Workers? {
    if generation.workers == nil { generation.workers = Workers(generation, of: self) }
    return generation.workers
  }

  /// What a process of the pod said on the notify socket. With two generations, its cgroup tells whose it is.
  func notified(_ pid: pid_t, _ lines: [Substring]) {
    guard lines.contains("READY=1"), let generation = speaker(pid) else { return }
    if generation.workers?.notified(pid) ?? false { return }
    guard let scope = generation.scope else {
      // Said before pod-launch's control socket told that the program runs: taken up by started().
      generation.saidReady = true
      return
    }
    scope.notifiedReady = true
    if generation === current, let waiting = reloadAnswered {
      reloadAnswered = nil
      waiting.resume()
    }
    if generation.workload?.type == .notify { becameReady(generation) }
  }

  private func speaker(_ pid: pid_t) -> Generation? {
    let generations = [current, other].compactMap { $0 }
    guard generations.count > 1 else { return generations.first }
    if let exact = generations.first(where: { $0.scope?.pid == pid || $0.parked?.pid == pid }) {
      return exact
    }
    let unit = ProcessIdentity.cgroup(of: pid)?.split(separator: "/").last
    return generations.first { generation in unit.map { generation.unit?.description == String($0) } ?? false
    } ?? generations.last
  }
}
