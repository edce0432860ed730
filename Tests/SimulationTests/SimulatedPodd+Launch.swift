import PodModel
import PodStore

/// A generation's way from the decision to its end, as Pod.swift goes it with Launcher and Generation.
extension SimulatedPodd {
  func canAdvance(_ pod: SimulatedPod) -> Bool {
    switch pod.launch {
    case .waitingForItsTurn:
      pods.values.count { $0.launch != nil && $0.launch != .waitingForItsTurn } < Self.launchesMax
    case .beginning, nil: false  // The store's job goes on with it.
    default: true
    }
  }

  func advanceLaunch(_ pod: SimulatedPod) throws {
    let fails = !simulation.isCalm && simulation.random.chance(6)
    switch pod.launch {
    case .waitingForItsTurn:
      guard pod.state == .starting else {
        pod.launch = nil
        return try handle(.ended(.operator), pod)
      }
      pod.launch = .beginning
      jobs.append(.begin(pod))
    case .spawning(let unit):
      if fails { return try launchFailed(pod, unit, "spawn") }
      pod.launch = .startingScope(unit, simulation.world.spawn(isMain: true))
      pod.timer = (simulation.world.now + Self.startTimeout, .startTimeout)
    case .startingScope(let unit, let pid):
      if fails || simulation.world.processes[pid] == nil { return try launchFailed(pod, unit, "scope") }
      simulation.world.attach(pid, to: unit)
      pod.launch = .releasing(unit, pid)
    case .releasing(let unit, let pid):
      if fails || simulation.world.processes[pid] == nil { return try launchFailed(pod, unit, "limits") }
      simulation.world.release(pid)
      pod.launch = .awaitingProgram(unit, pid)
    case .awaitingProgram(let unit, let pid):
      guard !fails, let process = simulation.world.processes[pid], process.unit == unit else {
        return try launchFailed(pod, unit, "exec")
      }
      pod.launch = nil
      pod.running = SimulatedPod.Running(unit: unit, pid: pid, ticks: process.ticks, isAdopted: false)
      jobs.append(.started(unit, pid: pid, ticks: process.ticks))
      if pod.state == .stopping { pod.isStopping = true }
    case .beginning, nil: break
    }
  }

  func launchFailed(_ pod: SimulatedPod, _ unit: UnitName?, _ stage: String) throws {
    if let held = pod.heldProcess { simulation.world.end(held, .signal("KILL")) }
    if let unit { simulation.world.stop(unit) }
    pod.launch = nil
    try handle(.launchFailed(.launchFailed(stage: stage, error: "EIO")), pod)
  }

  /// The store has written the generation down, or could not.
  func begun(_ pod: SimulatedPod, _ generation: Int?) throws {
    guard let generation else { return try launchFailed(pod, nil, "store") }
    let unit = UnitName(pod: pod.name, generation: generation)
    pod.record.generation = generation
    pod.record.restarts = Int(pod.lifecycle.restarts)
    pod.openUnit = unit
    pod.launch = .spawning(unit)
  }

  func becameReady(_ pod: SimulatedPod, _ running: SimulatedPod.Running) throws {
    try handle(.ready, pod)
    jobs.append(.ready(running.unit))
  }

  // MARK: Ends

  func mainProcessEnded(_ pod: SimulatedPod, _ running: SimulatedPod.Running) {
    var evidence = simulation.world.exits[running.unit] ?? EndEvidence()
    if running.isAdopted {
      evidence.adopted = true
      // podd was not the parent.
      evidence.exit = nil
    }
    pod.clearingUp = evidence
    simulation.note("podd sees that \(running.unit) ended")
  }

  func clearUp(_ pod: SimulatedPod, _ running: SimulatedPod.Running) throws {
    if simulation.world.isPopulated(running.unit) { return simulation.world.stop(running.unit) }
    guard let evidence = pod.clearingUp else { return }
    let wasAsked = pod.isStopping
    pod.running = nil
    pod.clearingUp = nil
    pod.isStopping = false
    simulation.world.failedUnits.remove(running.unit)
    try handle(.ended(evidence.reason), pod)
    try checkReason(running, wasAsked, pod.lifecycle.lastEnd)
  }

  /// Against the truth, which podd sees only in part.
  func checkReason(
    _ running: SimulatedPod.Running, _ wasAsked: Bool, _ recorded: EndReason?
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
