import PodModel
import PodStore

/// Clients' calls, and what they and the lifecycle write down.
extension SimulatedPodd {
  // MARK: Verbs

  func provision(_ user: String, tier: String, cold: Bool) {
    simulation.note("call: provision \(user) in \(tier)\(cold ? ", cold" : "")")
    takeTurn(of: user) { [unowned self] in
      let number = newCall(.provision(user: user, cold: cold))
      jobs.append(.provision(call: number, user: user, tier: tier, cold: cold))
    }
  }

  func deprovision(_ user: String) {
    simulation.note("call: deprovision \(user)")
    takeTurn(of: user) { [unowned self] in
      simulation.confirmed[user] = nil
      jobs.append(.deprovision(user: user))
    }
  }

  func start(_ name: PodName) throws {
    guard let pod = pods[name], pod.state != .crashLoop else { return }
    simulation.note("call: start \(name)")
    if pod.state != .ready && pod.state != .starting { try handle(.start, pod) }
    wait(newCall(.start), pod)
  }

  func stop(_ name: PodName) throws {
    guard let pod = pods[name] else { return }
    simulation.note("call: stop \(name)")
    try stopGracefully(pod, .operator, then: .stopped)
    if pod.state == .stopping || pod.state == .draining { pod.waiters.append(newCall(.stop)) }
  }

  func restart(_ name: PodName) throws {
    guard let pod = pods[name] else { return }
    simulation.note("call: restart \(name)")
    try handle(.restart(.operator, handover(of: pod)), pod)
    let call = newCall(.restart)
    if pod.state == .ready && pod.lifecycle.isBeingReplaced {
      pod.waiters.append(call)
    } else {
      wait(call, pod)
    }
  }

  func freeze(_ name: PodName) throws {
    guard let pod = pods[name], pod.state == .ready else { return }
    simulation.note("call: freeze \(name)")
    try handle(.freeze, pod)
  }

  func reset(_ name: PodName) throws {
    guard let pod = pods[name] else { return }
    simulation.note("call: reset \(name)")
    try handle(.reset, pod)
  }

  private func wait(_ call: Int, _ pod: SimulatedPod) {
    switch pod.state {
    case .ready: answer(call, pod, nil)
    case .starting, .stopping, .draining, .frozen: pod.waiters.append(call)
    default: answer(call, pod, pod.lifecycle.lastEnd ?? .operator)
    }
  }

  private func serve(_ call: Int, _ pod: SimulatedPod) throws {
    switch pod.state {
    case .cold, .backoff, .draining, .stopping, .frozen: try handle(.start, pod)
    default: break
    }
    wait(call, pod)
  }

  /// What a failed provision made is undone, once nothing of a pod runs that nobody else uses.
  func takeBack() throws {
    let placed = takenBack.removeFirst()
    if let pod = pods[placed.pod.name] {
      pod.takenBack += 1
      if placed.createdPod || placed.wokePod, pod.record.users <= 1 {
        try handle(.stop(.operator, then: .cold), pod)
      }
    }
    undoing.append(placed)
  }

  /// Not while the pod is being stopped.
  func canUndo(_ placed: Provisioned) -> Bool {
    let state = pods[placed.pod.name]?.state
    return state != .stopping && state != .draining
  }

  func undoNext() {
    guard let index = undoing.firstIndex(where: canUndo) else { return }
    jobs.append(.undo(undoing.remove(at: index)))
  }

  // MARK: The disk

  func doNextJob() throws {
    let job = jobs.removeFirst()
    let goOn: () throws -> Void
    do throws(StoreError) {
      if simulation.isDiskFull { throw .full(file: simulation.store.file) }
      goOn = try perform(job)
      simulation.note("disk: \(job.brief)")
    } catch {
      simulation.note("disk: \(job.brief) failed: \(error)")
      return try failed(job, error)
    }
    // podd may die when the disk has it and nobody was told.
    if !simulation.isCalm, simulation.random.chance(2) { return simulation.crash() }
    try goOn()
  }

  /// Does the job and returns what follows from it in podd's memory.
  private func perform(_ job: StoreJob) throws(StoreError) -> () throws -> Void {
    let store = simulation.store
    let now = Int64(simulation.world.now)
    switch job {
    case .provision(let call, let user, let tier, let cold):
      let placed = try store.provision(
        user: user, tier: tier, usersPerPod: Simulation.usersPerPod[tier] ?? 1, portRange: 10_001...10_999,
        token: "\(user)-\(now)-\(call)", wantRunning: !cold, now: now)
      return { try self.placed(call, user, placed, cold: cold) }
    case .undo(let placed):
      let isGone = try store.undoProvision(placed, dataPutAside: placed.revived != nil)
      return { try self.undone(placed, isGone: isGone) }
    case .deprovision(let user):
      let gone = try store.deprovision(user: user, purge: false, now: now)
      return { try self.deprovisioned(gone) }
    case .settled(let user):
      try store.dataSettled(user: user)
      return {}
    case .begin(let pod, let run):
      let generation = try store.beginGeneration(
        pod: pod.name, createdAt: pod.record.createdAt,
        restart: pod.lifecycle.restarts > UInt64(max(0, pod.record.restarts)), now: now)
      simulation.openRows.insert(UnitName(pod: pod.name, generation: generation))
      return { try self.begun(pod, run, generation) }
    case .started(let unit, let pid, let ticks):
      try store.generationStarted(
        unit, bootID: simulation.world.bootID, invocationID: "", mainPID: pid, mainStartTicks: ticks, now: now
      )
      return {}
    case .ready(let unit):
      try store.generationReady(unit, now: now)
      return {}
    case .relieve(let pod, let run, let unit):
      try store.generationReady(unit, now: now)
      return { try self.handle(pod, run, own: .ready, beside: .successorReady) }
    case .stopCause(let unit, let cause, let asked):
      try store.setStopCause(cause, asked: asked, of: unit)
      return {}
    case .end(let unit, let reason):
      let expected = reason == .unknownAdopted ? try openRecord(unit).unseenEnd : reason
      let isFirst = try store.endGeneration(unit, reason: reason, now: now)
      simulation.openRows.remove(unit)
      return {
        try self.simulation.check(isFirst, "the end of \(unit) is recorded twice")
        try self.simulation.check(
          expected == reason, "\(unit) was stopped (\(expected)), recorded is \(reason)")
      }
    case .wanted(let name, let wanted):
      try store.setWanted(wanted, pod: name)
      return {}
    case .hold(let name, let held):
      try store.setCrashLoopHold(held, pod: name)
      return {}
    }
  }

  private func failed(_ job: StoreJob, _ error: StoreError) throws {
    switch job {
    case .provision(let call, let user, _, _):
      calls[call] = nil
      endTurn(of: user)
    case .undo(let placed):
      undoEnded(placed)
      endTurn(of: placed.user.name)
    case .deprovision(let user): endTurn(of: user)
    case .begin(let pod, let run): if !pod.isForgotten { try begun(pod, run, nil) }
    // podd goes on without.
    case .relieve(let pod, let run, _): try handle(pod, run, own: .ready, beside: .successorReady)
    case .end(let unit, _): simulation.lostEnds.insert(unit)
    // podd logs that it could not write it down.
    case .wanted(let name, _), .hold(let name, _): simulation.lostWishes.insert(name)
    case .settled, .started, .ready, .stopCause: break
    }
  }

  private func add(_ record: PodRecord) -> SimulatedPod {
    let pod = pods[record.name] ?? SimulatedPod(record, now: simulation.world.now)
    pod.record = record
    pods[record.name] = pod
    return pod
  }

  private func placed(_ call: Int, _ user: String, _ placed: Provisioned, cold: Bool) throws {
    let pod = add(placed.pod)
    calls[call]?.placed = placed
    if placed.createdUser && placed.user.keptFrom != nil { jobs.append(.settled(user: user)) }
    if cold {
      calls[call] = nil
      confirm(user, placed)
      if pod.state == .cold { updateDoor(pod) }
    } else {
      try serve(call, pod)
    }
  }

  private func undoEnded(_ placed: Provisioned) {
    guard let pod = pods[placed.pod.name] else { return }
    pod.takenBack -= 1
    if pod.state == .cold { updateDoor(pod) }
  }

  private func undone(_ placed: Provisioned, isGone: Bool) throws {
    endTurn(of: placed.user.name)
    guard let pod = pods[placed.pod.name] else { return }
    if isGone {
      try simulation.check(
        pod.runs.allSatisfy { $0.running == nil && $0.heldProcess == nil },
        "\(pod.name) is forgotten while it runs")
      pods[pod.name] = nil
      pod.isForgotten = true
      resolve(pod, .operator)
      return
    }
    pod.record = try simulation.store.pod(pod.name)
    undoEnded(placed)
    if pod.record.wanted == .cold && pod.lifecycle.wanted == .run {
      switch pod.state {
      case .cold, .backoff: try handle(.stop(.operator, then: .cold), pod)
      default: jobs.append(.wanted(pod.name, .run))
      }
    }
  }

  private func deprovisioned(_ gone: Deprovisioned) throws {
    if let record = gone.pod {
      let pod = add(record)
      if record.users == 0 && pod.state.hasScope { try stopGracefully(pod, .idle, then: .cold) }
      if record.users == 0 && pod.state == .cold { updateDoor(pod) }
    }
    if gone.user.pod != nil { jobs.append(.settled(user: gone.user.name)) }
    endTurn(of: gone.user.name)
  }
}
