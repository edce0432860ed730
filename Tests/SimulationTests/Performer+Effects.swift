import PodModel
import PodStore
import Time

/// The machine's effects, in the simulation's world.
extension Performer {
  func perform(_ effect: PodMachine.Effect, _ pod: SimulatedPod) throws {
    let now = simulation.world.now
    switch effect {
    case .generation(let id, let effect): try perform(effect, of: id, pod)
    case .moved(let move): try moved(move, pod)
    case .armBackoff(let delay):
      let policy = simulation.policy
      try simulation.check(
        (policy.firstDelay...(policy.maxDelay + policy.maxDelay / 4)).contains(delay),
        "\(pod.name) is to be launched again in \(delay.count) µs")
      pod.backoffAt = now + delay
    case .cancelTimers:
      pod.backoffAt = nil
      for generation in pod.generations.values { generation.startDeadline = nil }
    case .release:
      pod.heldUntil = nil
      simulation.world.doors[pod.name]?.heldUntil = nil
    case .persist(let wanted): jobs.append(.wanted(pod, wanted))
    case .recordStartLimitHit(let isHit): jobs.append(.startLimitHit(pod, isHit))
    case .resolveReady: resolve(pod, nil)
    case .resolveFailed(let reason): resolve(pod, reason)
    case .announce: updateDoor(pod)
    case .writeUsers, .usersFailed, .recordUsers, .thawForUsers, .freezeAgain: try notify(effect, pod)
    case .then: break  // An event; `handle` has put it after the list.
    }
  }

  private func moved(_ move: PodMachine.Move, _ pod: SimulatedPod) throws {
    if move.event == .ready(of: .other), let unit = pod.machine.current?.unit {
      try simulation.check(
        simulation.readyUnits.contains(unit),
        "\(unit) takes over, and its readiness is not on the disk")
    }
    try ended(move, pod)
    if move.isNewState, move.to.state == .ready {
      pod.idleness = (pod.machine.current?.unit, Idleness(now: simulation.world.now))
    }
    guard move.to.state == .starting, move.isNewState else { return }
    if move.event == .backoffElapsed {
      if !pod.diedOfHost { pod.relaunches.append(pod.diedAt) }
    } else if move.from.other != .successor {
      pod.relaunches = []
    }
  }

  /// Keeps account of the ends that lead to the next launch, and of who is to blame for them.
  private func ended(_ move: PodMachine.Move, _ pod: SimulatedPod) throws {
    // podd may be slow to perform what its machine decided then.
    let now = pod.decidedAt
    let isOfHost: Bool
    switch move.event {
    case .launchFailed(.launchFailed(let stage, let error), of: .current):
      isOfHost = stage != .exec || error == "ENOMEM" || pod.timedOutOnHost
    // The world's OOM killer took it for want of the host's memory.
    case .ended(.oomBystander, of: .current): isOfHost = true
    case .ended(_, of: .current): isOfHost = pod.timedOutOnHost
    default: return
    }
    pod.timedOutOnHost = false
    if !isOfHost { pod.ownEnds.append(now) }
    if move.to.state == .backoff {
      pod.diedAt = now
      pod.diedOfHost = isOfHost
    }
    guard move.to.state == .crashLoop else { return }
    let recent = pod.ownEnds.filter { $0 + simulation.policy.burstInterval > now }
    try simulation.check(
      recent.count >= simulation.policy.burst,
      "\(pod.name) is held after \(recent.count) ends of its own: a fault of the host has led to a hold")
  }

  private func perform(_ effect: GenerationLife.Effect, of id: PodMachine.ID, _ pod: SimulatedPod) throws {
    switch effect {
    case .endTurn:
      launchSlots += 1
      return
    case .awaitStrayScopes: pod.generations[id] = SimulatedGeneration(id: id)
    default: break
    }
    guard let generation = pod.generations[id] else {
      return try simulation.check(false, "\(effect) of \(id), which \(pod.name) has not")
    }
    let now = simulation.world.now
    switch effect {
    case .awaitStrayScopes: begin(.strayScopes, generation)
    case .awaitTurn: begin(.turn, generation)
    case .park(let unit):
      generation.unit = unit
      begin(.park, generation)
    case .write(_, let isRestart): jobs.append(.begin(pod, id, isRestart: isRestart))
    case .openFirewall: begin(.firewall, generation)
    case .startScope: begin(.scope, generation)
    case .verifyLimits: begin(.limits, generation)
    case .release: begin(.release, generation)
    case .abandon: begin(.abandon, generation)
    case .askWhetherActive: begin(.activity, generation)
    case .collectEvidence: begin(.evidence, generation)
    case .awaitEmptyScope: begin(.emptyScope, generation)
    case .armStartTimeout: generation.startDeadline = now + Self.startTimeout
    case .watch: generation.isWatched = true
    case .recordStart: try recordStart(generation)
    case .awaitReadiness: generation.awaitsReadiness = true
    case .recordReadiness(let isAwaited):
      guard let unit = generation.unit else { return }
      jobs.append(isAwaited ? .awaitedReady(pod, id, unit) : .ready(unit))
    case .killParked: kill(generation)
    case .recordStop(let record): if let unit = generation.unit { jobs.append(.stop(unit, record)) }
    case .drain: drain(generation, pod)
    case .freeze: if let unit = generation.unit { simulation.world.frozenUnits.insert(unit) }
    case .thaw: if let unit = generation.unit { simulation.world.frozenUnits.remove(unit) }
    case .signalReload: if let pid = generation.pid { simulation.world.signalReload(pid) }
    case .reload(let revision):
      pod.userWork = .reload(id, revision)
      if simulation.reload(of: pod.name) == .signal, let pid = generation.pid {
        simulation.world.signalReload(pid)
      }
    case .stopUnit(let isHung): stop(generation, pod, isHung: isHung)
    case .cleanUp: if let unit = generation.unit { simulation.world.failedUnits.remove(unit) }
    case .closeFirewall:
      let live = simulation.world.populated.filter { $0.pod == pod.name }
      try simulation.check(live.isEmpty, "the firewall of \(pod.name) is closed while \(live) run")
      pod.isFirewallOpen = false
    case .recordEnd(let unit, let reason, _):
      try simulation.check(
        !simulation.world.isPopulated(unit), "the end of \(unit) is recorded while it runs")
      jobs.append(.end(unit, reason))
    case .dispose:
      try simulation.check(!isAlive(generation), "a process of \(pod.name) is left behind by \(id)")
      pod.generations[id] = nil
      if generation.operations.contains(.turn) { lateTurns.append((pod, id)) }
    case .endTurn, .serve, .resumeService, .reportLaunchFailure, .watchConnections, .inherit: break
    }
  }

  private func begin(_ operation: SimulatedGeneration.Operation, _ generation: SimulatedGeneration) {
    generation.operations.append(operation)
  }

  private func isAlive(_ generation: SimulatedGeneration) -> Bool {
    generation.pid.map { simulation.world.isAlive($0, generation.ticks) } ?? false
  }

  private func kill(_ generation: SimulatedGeneration) {
    if isAlive(generation), let pid = generation.pid { simulation.world.end(pid, .signal("KILL")) }
  }

  private func recordStart(_ generation: SimulatedGeneration) throws {
    guard let unit = generation.unit, let pid = generation.pid else { return }
    jobs.append(.started(unit, pid: pid, ticks: generation.ticks))
  }

  private func drain(_ generation: SimulatedGeneration, _ pod: SimulatedPod) {
    let now = simulation.world.now
    generation.drainDeadline = now + Self.drainTimeout
    let until = now + Self.drainTimeout + Self.stopTimeout + Self.startTimeout
    pod.heldUntil = until
    simulation.world.doors[pod.name, default: World.Door()].heldUntil = until
  }

  private func stop(_ generation: SimulatedGeneration, _ pod: SimulatedPod, isHung: Bool) {
    guard let unit = generation.unit, let pid = generation.pid else { return }
    let life = pod.machine.generations.first { $0.id == generation.id }
    if life?.phase == .running {
      let isCurrent = pod.machine.position(of: generation.id) == .current
      stops[unit] = isCurrent ? pod.lifecycle.stopCause : pod.lifecycle.other?.cause
    }
    // Graceful is what was asked of a program that serves.
    if isHung || life?.stopRecord?.cause == .startTimeout || simulation.world.processes[pid]?.isReady != true
    {
      simulation.world.excused.insert(unit)
    }
    simulation.world.terminate(unit, patience: isHung ? Self.hungTimeout : Self.stopTimeout)
  }

  // MARK: What takes time

  /// Ends an operation, well or not, and reports that.
  func end(
    _ operation: SimulatedGeneration.Operation, of generation: SimulatedGeneration, _ pod: SimulatedPod
  ) throws {
    generation.operations.removeAll { $0 == operation }
    let event = try result(of: operation, generation, pod)
    guard let event else { return }
    let truth = Truth(pod, generation)
    try handle(.generation(generation.id, event), pod)
    switch event {
    case .evidence(_, scopeIsEmpty: true), .scopeEmpty: try truth.check(self, pod)
    default: break
    }
  }

  private func result(
    of operation: SimulatedGeneration.Operation, _ generation: SimulatedGeneration, _ pod: SimulatedPod
  ) throws -> GenerationLife.Event? {
    let fails = !simulation.isCalm && simulation.random.chance(simulation.odds.launchFailures)
    func failed(_ stage: LaunchStage) -> GenerationLife.Event {
      .failed(LaunchFailure(stage: stage, error: "EIO"))
    }
    switch operation {
    case .strayScopes: return .strayScopesGone(next: fails ? nil : simulation.handover(of: pod.name))
    case .turn:
      launchSlots -= 1
      return .turn(fails && simulation.random.chance(30) ? nil : simulation.traits(of: pod.name))
    case .park: return try park(generation, pod, fails) ? .parked : failed(.spawn)
    case .firewall:
      if fails { return failed(.firewall) }
      pod.isFirewallOpen = true
      return .firewallOpened
    case .scope:
      // It may fail with the process in the scope already: a file could not be written.
      if fails && simulation.random.chance(50) || !isAlive(generation) { return failed(.scope) }
      if let pid = generation.pid, let unit = generation.unit, let traits = traits(of: generation, pod) {
        simulation.world.attach(pid, to: unit, traits.handover)
        try writeUsersFile(of: pod.name)
      }
      return fails ? failed(.users) : .scopeStarted
    case .limits: return fails || !isAlive(generation) ? failed(.limits) : .limitsVerified
    case .release:
      guard isAlive(generation), let pid = generation.pid else { return failed(.release) }
      simulation.world.release(pid)
      begin(.program, generation)
      return nil
    case .program:
      // Of one that was killed, the closed socket looks like a program that runs.
      let isAlive = isAlive(generation)
      guard fails || !isAlive && simulation.random.chance(50) else { return .programRuns }
      // The program's file is wrong, or the host has no memory for the moment.
      let error: ErrnoName = simulation.random.chance(50) ? "ENOENT" : "ENOMEM"
      return .failed(LaunchFailure(stage: .exec, error: error))
    case .abandon:
      kill(generation)
      if let unit = generation.unit { simulation.world.kill(unit) }
      return .abandoned
    case .activity:
      return .scopeIsActive(generation.unit.map { simulation.world.killTimes[$0] == nil } ?? false)
    case .evidence:
      return .evidence(
        evidence(generation), scopeIsEmpty: generation.unit.map { !simulation.world.isPopulated($0) } ?? true)
    case .emptyScope: return .scopeEmpty
    }
  }

  private func traits(of generation: SimulatedGeneration, _ pod: SimulatedPod) -> GenerationLife.Traits? {
    pod.machine.generations.first { $0.id == generation.id }?.traits
  }

  private func park(_ generation: SimulatedGeneration, _ pod: SimulatedPod, _ fails: Bool) throws -> Bool {
    if fails { return false }
    if traits(of: generation, pod)?.handover != .drain {
      simulation.world.doors[pod.name, default: World.Door()].isListening = true
    }
    let pid = simulation.world.spawn(isMain: true)
    generation.pid = pid
    generation.ticks = simulation.world.processes[pid]?.ticks ?? 0
    return true
  }

  private func evidence(_ generation: SimulatedGeneration) -> EndEvidence {
    var evidence = generation.unit.flatMap { simulation.world.exits[$0] } ?? EndEvidence()
    if generation.isAdopted {
      evidence.adopted = true
      // podd was not the parent.
      evidence.exit = nil
    }
    return evidence
  }
}

/// How a generation ended in truth, which podd sees only in part.
private struct Truth {
  let unit: UnitName?
  let isAdopted: Bool
  /// It was the current one, and nobody had asked it to stop.
  let isUnasked: Bool

  init(_ pod: SimulatedPod, _ generation: SimulatedGeneration) {
    unit = generation.unit
    isAdopted = generation.isAdopted
    let lifecycle = pod.lifecycle
    let life = pod.machine.current
    let isAsked: Bool
    switch (lifecycle.state, life?.phase) {
    case (.draining, _): isAsked = true
    // What the main process left behind is stopped for the reason of its own end.
    case (.stopping, .ending(let evidence)): isAsked = lifecycle.stopCause != evidence?.reason
    case (.stopping, _): isAsked = true
    default: isAsked = false
    }
    isUnasked = life?.id == generation.id && !isAsked
  }

  func check(_ podd: Performer, _ pod: SimulatedPod) throws {
    guard isUnasked, let unit else { return }
    let recorded = pod.lifecycle.lastEnd
    var allowed: [EndReason] = isAdopted ? [.unknownAdopted] : []
    if let truth = podd.simulation.world.exits[unit] {
      switch (truth.oomKills, truth.ownLimitOOMs, truth.exit) {
      case (1..., 1..., _): allowed = [.oomOwnLimit]
      case (1..., 0, _): allowed = [.oomBystander]
      case (_, _, .exited(let status)) where !isAdopted: allowed = [.exited(status)]
      case (_, _, .signal(let name)) where !isAdopted: allowed = [.signal(name)]
      default: break
      }
    } else {
      // A child that was taken for the main process, because podd died before it wrote that down.
      allowed.append(.unknownAdopted)
    }
    try podd.simulation.check(
      recorded.map(allowed.contains) ?? false,
      "\(unit) ended by \(allowed.map(\.description)), recorded is \(recorded?.description ?? "nothing")")
  }
}
