import PodModel
import PodStore

/// A generation's way from the decision to its end, as Pod.swift goes it with Launcher and Generation.
extension SimulatedPodd {
  func canAdvance(_ pod: SimulatedPod, _ run: SimulatedRun) -> Bool {
    switch run.launch {
    case .waitingForItsTurn:
      run.isCancelled || hasRoom(pod, run) && launchesUnderWay < Self.launchesMax
    case .beginning, nil: false  // The store's job goes on with it.
    default: true
    }
  }

  private var launchesUnderWay: Int {
    pods.values.reduce(0) { count, pod in
      count + pod.runs.count { $0.launch != nil && $0.launch != .waitingForItsTurn }
    }
  }

  /// Pod.makeRoom: what is on its way out is waited for, unless the two may overlap.
  private func hasRoom(_ pod: SimulatedPod, _ run: SimulatedRun) -> Bool {
    guard run === pod.own, let second = pod.beside else { return true }
    return second.running != nil && second.handover == .overlap
      && simulation.handover(of: pod.name) == .overlap
  }

  func advanceLaunch(_ pod: SimulatedPod, _ run: SimulatedRun) throws {
    let fails = !simulation.isCalm && simulation.random.chance(6)
    switch run.launch {
    case .waitingForItsTurn:
      if run.isCancelled {
        run.launch = nil
        return try handle(pod, run, own: .ended(.operator), beside: .besideEnded(.operator))
      }
      run.launch = .beginning
      run.handover = simulation.handover(of: pod.name)
      run.startDeadline = simulation.world.now + Self.startTimeout
      jobs.append(.begin(pod, run))
    case .spawning(let unit):
      if fails || run.isCancelled { return try launchFailed(pod, run, "spawn") }
      if run.handover != .drain { simulation.world.doors[pod.name, default: World.Door()].isListening = true }
      run.launch = .startingScope(unit, simulation.world.spawn(isMain: true))
      run.startDeadline = simulation.world.now + Self.startTimeout
    case .startingScope(let unit, let pid):
      if fails || simulation.world.processes[pid] == nil { return try launchFailed(pod, run, "scope") }
      simulation.world.attach(pid, to: unit, run.handover)
      run.launch = .releasing(unit, pid)
    case .releasing(let unit, let pid):
      if fails || simulation.world.processes[pid] == nil { return try launchFailed(pod, run, "limits") }
      simulation.world.release(pid)
      run.launch = .awaitingProgram(unit, pid)
    case .awaitingProgram(let unit, let pid):
      guard !fails, let process = simulation.world.processes[pid], process.unit == unit else {
        return try launchFailed(pod, run, "exec")
      }
      run.launch = nil
      run.running = SimulatedRun.Running(unit: unit, pid: pid, ticks: process.ticks, isAdopted: false)
      jobs.append(.started(unit, pid: pid, ticks: process.ticks))
      if run.isCancelled { stop(pod, run) }
    case .beginning, nil: break
    }
  }

  func launchFailed(_ pod: SimulatedPod, _ run: SimulatedRun, _ stage: String) throws {
    if let held = run.heldProcess { simulation.world.end(held, .signal("KILL")) }
    if let unit = run.unit { simulation.world.kill(unit) }
    run.launch = nil
    let reason = EndReason.launchFailed(stage: stage, error: "EIO")
    try handle(pod, run, own: .launchFailed(reason), beside: .besideEnded(reason))
  }

  /// The store has written the generation down, or could not.
  func begun(_ pod: SimulatedPod, _ run: SimulatedRun, _ generation: Int?) throws {
    guard let generation else { return try launchFailed(pod, run, "store") }
    let unit = UnitName(pod: pod.name, generation: generation)
    pod.record.generation = generation
    pod.record.restarts = Int(pod.lifecycle.restarts)
    run.unit = unit
    run.launch = .spawning(unit)
  }

  func becameReady(_ pod: SimulatedPod, _ run: SimulatedRun, _ unit: UnitName) throws {
    if run === pod.own {
      try handle(.ready, pod)
      jobs.append(.ready(unit))
    } else {
      run.isRelieving = true
      jobs.append(.relieve(pod, run, unit))
    }
  }

  // MARK: Ends

  func stop(_ pod: SimulatedPod, _ run: SimulatedRun) {
    guard let running = run.running else {
      run.isCancelled = true
      if let held = run.heldProcess { simulation.world.end(held, .signal("KILL")) }
      return
    }
    guard !run.isStopping else { return }
    run.isStopping = true
    recordStopCause(pod, run)
    let world = simulation.world
    let cause = run === pod.own ? pod.lifecycle.stopCause : nil
    let isHung = cause == .health
    // Graceful is what was asked of a program that serves.
    if isHung || cause == .startTimeout || world.processes[running.pid]?.isReady != true {
      simulation.world.excused.insert(running.unit)
    }
    simulation.world.terminate(running.unit, patience: isHung ? 10_000_000 : Self.stopTimeout)
  }

  func recordStopCause(_ pod: SimulatedPod, _ run: SimulatedRun) {
    let cause = run === pod.own ? pod.lifecycle.stopCause : pod.lifecycle.beside?.cause
    let asked = run.isStopping || run.isStopAskedOnRecord
    guard let cause, (cause, asked) != (run.stopCause, run.isStopAskedOnRecord), let unit = run.unit else {
      return
    }
    (run.stopCause, run.isStopAskedOnRecord) = (cause, asked)
    jobs.append(.stopCause(unit, cause, asked: asked))
  }

  func mainProcessEnded(_ run: SimulatedRun, _ running: SimulatedRun.Running) {
    var evidence = simulation.world.exits[running.unit] ?? EndEvidence()
    if running.isAdopted {
      evidence.adopted = true
      // podd was not the parent.
      evidence.exit = nil
    }
    run.clearingUp = evidence
    simulation.note("podd sees that \(running.unit) ended")
  }

  func clearUp(_ pod: SimulatedPod, _ run: SimulatedRun, _ running: SimulatedRun.Running) throws {
    if simulation.world.isPopulated(running.unit) { return simulation.world.kill(running.unit) }
    guard let evidence = run.clearingUp else { return }
    let wasAsked = run.isStopping || pod.state == .draining
    run.running = nil
    run.clearingUp = nil
    simulation.world.failedUnits.remove(running.unit)
    let isOwn = run === pod.own
    let reason = evidence.reason(stoppedFor: run.recordedStop)
    try handle(pod, run, own: .ended(reason), beside: .besideEnded(reason))
    if isOwn { try checkReason(running, wasAsked, pod.lifecycle.lastEnd) }
  }

  /// Against the truth, which podd sees only in part.
  private func checkReason(
    _ running: SimulatedRun.Running, _ wasAsked: Bool, _ recorded: EndReason?
  ) throws {
    if wasAsked { return }
    let truth = simulation.world.exits[running.unit]
    var allowed: [EndReason] = running.isAdopted ? [.unknownAdopted] : []
    if let truth {
      switch (truth.oomKills, truth.ownLimitOOMs, truth.exit) {
      case (1..., 1..., _): allowed = [.oomOwnLimit]
      case (1..., 0, _): allowed = [.oomBystander]
      case (_, _, .exited(let status)) where !running.isAdopted: allowed = [.exited(status)]
      case (_, _, .signal(let name)) where !running.isAdopted: allowed = [.signal(name)]
      default: break
      }
    } else {
      // A child that was taken for the main process, because podd died before it wrote that down.
      allowed.append(.unknownAdopted)
    }
    try simulation.check(
      recorded.map(allowed.contains) ?? false,
      "\(running.unit) ended by \(allowed.map(\.description)), recorded is \(recorded?.description ?? "nothing")"
    )
  }
}
