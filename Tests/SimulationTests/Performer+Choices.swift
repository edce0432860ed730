import PodModel
import PodStore
import Time

/// What podd could attend to next; the generator picks.
extension Performer {
  struct Choice {
    enum What {
      case takeBack, undo, job, lateTurn
      case backoff, wake, clean, idle
      case delivery(Int)
      case users, retryUsers, checkUsers
      case operation(SimulatedGeneration, SimulatedGeneration.Operation)
      case startTimeout(SimulatedGeneration)
      case drained(SimulatedGeneration)
      case mainProcessEnded(SimulatedGeneration)
      case ready(SimulatedGeneration)
      case freezer(SimulatedGeneration, Bool)
      case unhealthy(SimulatedGeneration)
    }

    var what: What
    var pod: SimulatedPod?
  }

  /// In an order that is the same in every run.
  var choices: [Choice] {
    var choices: [Choice] = []
    if !takenBack.isEmpty { choices.append(Choice(what: .takeBack)) }
    if undoing.contains(where: { canUndo($0) }) { choices.append(Choice(what: .undo)) }
    if !jobs.isEmpty { choices.append(Choice(what: .job)) }
    if !lateTurns.isEmpty && launchSlots > 0 { choices.append(Choice(what: .lateTurn)) }
    for (index, delivery) in deliveries.enumerated() where hasEnded(delivery) {
      choices.append(Choice(what: .delivery(index)))
    }
    for pod in pods.values.sorted(by: { $0.name < $1.name }) + forgotten { choose(pod, &choices) }
    return choices
  }

  private func choose(_ pod: SimulatedPod, _ choices: inout [Choice]) {
    func offer(_ what: Choice.What) { choices.append(Choice(what: what, pod: pod)) }
    let now = simulation.world.now
    if let at = pod.backoffAt, at <= now { offer(.backoff) }
    if pod.userWork != nil { offer(.users) }
    if let at = pod.usersRetryAt, at <= now { offer(.retryUsers) }
    if pod.needsUserCheck { offer(.checkUsers) }
    if canClean(pod) { offer(.clean) }
    if let next = nextIdleAct(of: pod), next <= now { offer(.idle) }
    if pod.wakePolicy == .wakes, let door = simulation.world.doors[pod.name], door.waiting > 0 {
      offer(.wake)
    }
    for life in pod.machine.generations {
      guard let generation = pod.generations[life.id] else { continue }
      for operation in generation.operations where canEnd(operation, generation, pod) {
        offer(.operation(generation, operation))
      }
      if let at = generation.startDeadline, at <= now { offer(.startTimeout(generation)) }
      guard let pid = generation.pid, let unit = generation.unit else { continue }
      guard simulation.world.isAlive(pid, generation.ticks), let process = simulation.world.processes[pid]
      else {
        if generation.isWatched { offer(.mainProcessEnded(generation)) }
        continue
      }
      if process.isReady && (generation.awaitsReadiness || !generation.isWatched && !generation.hasSpoken) {
        offer(.ready(generation))
      }
      guard life.id == pod.machine.current?.id, generation.isWatched else { continue }
      if canEndDrain(pod, generation, unit) { offer(.drained(generation)) }
      let isFrozen = simulation.world.frozenUnits.contains(unit)
      if isFrozen != (pod.state == .frozen), pod.state == .ready || pod.state == .frozen {
        offer(.freezer(generation, isFrozen))
      }
      if process.isHung, !isFrozen, pod.state == .ready { offer(.unhealthy(generation)) }
    }
  }

  private func canEnd(
    _ operation: SimulatedGeneration.Operation, _ generation: SimulatedGeneration, _ pod: SimulatedPod
  ) -> Bool {
    switch operation {
    // A launch waits until nothing of former users is left.
    case .turn: launchSlots > 0 && pod.record.cleaning == nil
    case .emptyScope: generation.unit.map { !simulation.world.isPopulated($0) } ?? true
    default: true
    }
  }

  private func canEndDrain(_ pod: SimulatedPod, _ generation: SimulatedGeneration, _ unit: UnitName) -> Bool {
    guard pod.state == .draining, let deadline = generation.drainDeadline else { return false }
    return simulation.world.now >= deadline || simulation.world.requests(in: unit) == 0
  }

  /// When the next timer fires; nil when none is armed.
  var nextTimer: LoopTime? {
    (pods.values.flatMap { pod in
      [pod.backoffAt, pod.usersRetryAt, nextIdleAct(of: pod)].compactMap { $0 }
        + pod.generations.values.flatMap {
          [$0.startDeadline, pod.state == .draining ? $0.drainDeadline : nil].compactMap { $0 }
        }
    } + deliveries.map(\.until)).min()
  }

  func take(_ choice: Choice) throws {
    switch choice.what {
    case .takeBack: return try takeBack()
    case .undo: return undoNext()
    case .job: return try doNextJob()
    case .lateTurn:
      let late = lateTurns.removeFirst()
      launchSlots -= 1
      return try handle(.generation(late.id, .turn(nil)), late.pod)
    case .delivery(let index): return try end(deliveries.remove(at: index))
    default: break
    }
    guard let pod = choice.pod else { return }
    switch choice.what {
    case .takeBack, .undo, .job, .lateTurn, .delivery: break
    case .users: try doUserWork(pod)
    case .retryUsers:
      pod.usersRetryAt = nil
      try handle(.retryUsers, pod)
    case .checkUsers: try checkUsers(pod)
    case .backoff:
      pod.backoffAt = nil
      try handle(.pod(.backoffElapsed), pod)
    case .wake:
      simulation.note("somebody wakes \(pod.name)")
      try handle(.pod(.start), pod)
    case .clean: try clean(pod)
    case .idle: try sleepIfIdle(pod)
    case .operation(let generation, let operation): try end(operation, of: generation, pod)
    case .startTimeout(let generation):
      generation.startDeadline = nil
      let life = pod.machine.current
      if life?.id == generation.id, let life, !life.hasScope { pod.timedOutOnHost = true }
      try handle(.generation(generation.id, .startTimeout), pod)
    case .drained(let generation):
      generation.drainDeadline = nil
      if let unit = generation.unit, simulation.world.requests(in: unit) > 0 {
        simulation.note("the drain of \(unit) has to cut")
        simulation.world.excused.insert(unit)
      }
      try handle(.generation(generation.id, .drained), pod)
    case .mainProcessEnded(let generation):
      generation.isWatched = false
      try handle(.generation(generation.id, .mainProcessEnded(mayBeInherited: false)), pod)
    case .ready(let generation):
      if generation.isWatched { generation.awaitsReadiness = false } else { generation.hasSpoken = true }
      try handle(.generation(generation.id, .ready), pod)
    case .freezer(let generation, let isFrozen):
      try handle(.generation(generation.id, isFrozen ? .frozen : .thawed), pod)
    case .unhealthy(let generation): try handle(.generation(generation.id, .unhealthy(.health)), pod)
    }
  }
}
