import PodModel
import PodStore
import Systemd

/// How a generation begins: from the decision to a program that is ready.
extension Pod {
  func request(generation: Int) -> Launcher.Request? {
    guard let tier, let workload else { return nil }
    return Launcher.Request(
      unit: UnitName(pod: name, generation: generation), record: record, tier: tier, workload: workload)
  }

  func launch() async {
    await host.launchSlots.acquire()
    defer { host.launchSlots.release() }
    // While the bus is away nothing can be launched; that is no fault of the pod's.
    await host.busConnected()
    guard state == .starting else {
      // Stopped while it waited for its turn.
      handle(.ended(.operator))
      return
    }
    // It reads its users file as it starts; whoever comes from here on is told of afterwards.
    usersStale = false
    do throws(LaunchFailure) {
      let generation = try await launchGeneration()
      started(generation)
    } catch {
      held = nil
      if let request = request(generation: record.generation) {
        Log.event(
          .podLaunchFailed, "\(name) could not be launched: \(error.reason)", priority: .error,
          journalFields + [("POD_REASON", error.reason.description), ("POD_UNIT", request.unit.description)])
      }
      host.firewall.close(name)
      handle(.launchFailed(error.reason))
    }
  }

  func launchGeneration() async throws(LaunchFailure) -> Generation {
    let tier: Tier
    let workload: Workload
    do throws(Configuration.Failure) {
      tier = try host.configuration.tier(record.tier).tier
      workload = try host.configuration.workload(of: tier)
    } catch {
      Log.event(.settingsError, "\(name) cannot be launched: \(error)", priority: .error, journalFields)
      throw LaunchFailure(stage: "settings", error: "EINVAL")
    }
    self.tier = tier
    self.workload = workload
    guard let expected = request(generation: record.generation + 1) else {
      throw LaunchFailure(stage: "settings", error: "EINVAL")
    }
    let launcher = host.launcher
    // While the disk is waited for; what the store has to say decides whether it goes on.
    let preparing = loopTask { () -> Result<LaunchProcess, LaunchFailure> in
      Result { () throws(LaunchFailure) in
        let process = try launcher.prepare(expected)
        self.held = process
        return process
      }
    }
    let users: [UserRecord]
    do throws(LaunchFailure) {
      users = try await begin(expected.unit)
    } catch {
      if case .success(let process) = await preparing.value { launcher.abandon(process) }
      throw error
    }
    let process = try await preparing.value.get()
    do throws(LaunchFailure) {
      try await host.firewall.open(name, uid: record.uid, words: workload.ipAddressAllow)
    } catch {
      launcher.abandon(process)
      throw error
    }
    arm(workload.timeoutStartUSec) { $0.handle(.startTimeout) }
    return try await launcher.launch(expected, process) { () throws(LaunchFailure) in
      do throws(UsersFile.Failure) {
        try self.writeUsersFile(users)
      } catch {
        Log.error("\(self.name): \(error)")
        if case .io(let errno) = error { throw LaunchFailure(stage: "users", errno) }
        throw LaunchFailure(stage: "users", error: "EINVAL")
      }
    }
  }

  /// Writes the generation down, before systemd hears of it, and asks who is placed here.
  func begin(_ unit: UnitName) async throws(LaunchFailure) -> [UserRecord] {
    let begun: (generation: Int, users: [UserRecord])
    do throws(StoreError) {
      let name = name
      let now = Int64(realtimeNow())
      let restart = lifecycle.restarts > UInt64(max(0, record.restarts))
      let createdAt = record.createdAt
      begun = try await host.store.run { store throws(StoreError) in
        (
          try store.beginGeneration(pod: name, createdAt: createdAt, restart: restart, now: now),
          try store.users(ofPod: name)
        )
      }
    } catch {
      Log.error("\(name): \(error)")
      throw LaunchFailure(stage: "store", error: "EIO")
    }
    record.generation = begun.generation
    openUnit = UnitName(pod: name, generation: begun.generation)
    readyBeforeStarted = false
    record.restarts = Int(clamping: lifecycle.restarts)
    guard begun.generation == unit.generation else {
      Log.error("\(name): generation \(begun.generation) is on record where \(unit.generation) comes next")
      throw LaunchFailure(stage: "store", error: "ESTALE")
    }
    return begun.users
  }

  func started(_ generation: Generation) {
    held = nil
    let unit = generation.unit
    self.generation = generation
    generation.notifiedReady = readyBeforeStarted
    if !usersStale { UsersTold.record(usersWritten, of: name) }
    watch(generation)
    Log.event(
      .podStarted, "\(name) started as \(unit), main process \(generation.pid).",
      journalFields + [("POD_UNIT", unit.description)])
    recordStart(generation)
    if state == .stopping {
      // The stop came while the scope was being made.
      stopScope()
    } else {
      awaitReadiness(generation)
    }
  }

  /// Writes down which process it is, by which the next podd knows it again.
  func recordStart(_ generation: Generation) {
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

  func watch(_ generation: Generation) {
    do throws(Errno) {
      try generation.watch { [weak self] in self?.mainProcessEnded(generation) }
    } catch {
      Log.error("\(name): cannot watch its main process: \(error)")
    }
  }

  /// A scope found running: podd was restarted.
  func adopt(_ generation: Generation, tier: Tier?, workload: Workload?, ready: Bool, since: UInt64?) {
    self.tier = tier
    self.workload = workload
    self.generation = generation
    openUnit = generation.unit
    generation.notifiedReady = ready
    host.firewall.note(name, uid: record.uid, words: workload?.ipAddressAllow ?? [])
    lifecycle.adopt(ready: ready, since: EventLoop.main.now())
    self.since = since ?? realtimeNow()
    watch(generation)
    Log.event(
      .podAdopted, "\(name) runs on as \(generation.unit), main process \(generation.pid).",
      journalFields + [("POD_UNIT", generation.unit.description)])
    if !ready {
      arm(workload?.timeoutStartUSec ?? 90_000_000) { $0.handle(.startTimeout) }
      awaitReadiness(generation)
    }
  }

  /// The generation on record ended while podd was away.
  func endedUnseen() {
    lifecycle.endedUnseen(.unknownAdopted)
    record.lastExitReason = .unknownAdopted
  }

  // MARK: Readiness

  func awaitReadiness(_ generation: Generation) {
    guard let workload else { return }
    if generation.notifiedReady {
      becameReady()
      return
    }
    // An adopted program may have said READY=1 while podd was away: then its probe tells.
    if workload.type == .notify && !generation.adopted { return }
    guard let probe = workload.probe else {
      becameReady()
      return
    }
    loopTask { await self.probeUntilReady(generation, probe) }
  }

  /// A program that binds by itself raises no event when it is there: asked again and again, at growing
  /// intervals, until the start timeout ends it.
  func probeUntilReady(_ generation: Generation, _ probe: Workload.Probe) async {
    var pause: UInt64 = 10_000
    while state == .starting && self.generation === generation {
      let answered = await Prober.ask(
        probe, address: record.address, front: record.frontAddress, port: record.port,
        timeoutUSec: workload?.probeTimeoutUSec ?? 5_000_000)
      guard state == .starting && self.generation === generation else { return }
      if answered {
        becameReady()
        return
      }
      await EventLoop.main.sleep(pause)
      pause = min(pause * 3 / 2, 1_000_000)
    }
  }

  func becameReady() {
    guard state == .starting, let generation else { return }
    handle(.ready)
    let unit = generation.unit
    let now = Int64(realtimeNow())
    Log.event(.podReady, "\(name) is ready.", journalFields + [("POD_UNIT", unit.description)])
    host.write("the readiness of \(unit)") { store throws(StoreError) in
      try store.generationReady(unit, now: now)
    }
    tellStaleUsers()
  }

  /// What the pod said on the notify socket.
  func notified(_ lines: [Substring]) {
    guard let generation else {
      // Said before pod-launch's control socket told that the program runs: taken up by started().
      if lines.contains("READY=1") && held != nil { readyBeforeStarted = true }
      return
    }
    if lines.contains("READY=1") {
      generation.notifiedReady = true
      reloadAnswered?.resume()
      reloadAnswered = nil
      if workload?.type == .notify { becameReady() }
    }
  }
}
