import PodModel
import PodStore

/// podd's hands, without systemd: what Pod.swift, PodHost and Reconciler.swift do, one step at a time. It dies
/// by being let go of.
final class SimulatedPodd {
  unowned let simulation: Simulation
  var pods: [PodName: SimulatedPod] = [:]
  var jobs: [StoreJob] = []
  var calls: [Int: SimulatedCall] = [:]
  private(set) var nextCall = 1
  /// Users of whom a call is under way, and the calls that wait for their turn.
  var turns: [String: [() -> Void]] = [:]
  /// What reconciling still has to do; nil once it is done and clients are served.
  private var reconciling: [Reconcile.Action]?

  var isServing: Bool { reconciling == nil }

  private var policy: Lifecycle.Policy { Lifecycle.Policy() }
  static let startTimeout: UInt64 = 30_000_000
  static let stopTimeout: UInt64 = 20_000_000
  static let drainTimeout: UInt64 = 30_000_000
  static let launchesMax = 2

  /// Reads the store, looks at what runs and decides; acting is for later steps.
  init(_ simulation: Simulation) throws {
    self.simulation = simulation
    simulation.note("podd starts")
    // Firewall.start: whoever an earlier podd held off is let in.
    for pod in simulation.world.doors.keys { simulation.world.doors[pod]?.heldUntil = nil }
    for record in try simulation.store.pods() {
      pods[record.name] = SimulatedPod(record, now: simulation.world.now)
    }
    for user in try simulation.store.unsettled() { jobs.append(.settled(user: user.name)) }
    let open = try simulation.store.openGenerations()
    simulation.openRows = Set(open.map(\.unit))
    simulation.lostEnds = []
    simulation.lostWishes = []
    reconciling = Reconcile.decide(
      rows: open.map { Reconcile.Row(unit: $0.unit, bootID: $0.bootID, isReady: $0.readyAt != nil) },
      scopes: look(open),
      boot: simulation.world.bootID)
  }

  private func look(_ open: [GenerationRecord]) -> [Reconcile.Scope] {
    let world = simulation.world
    var scopes: [Reconcile.Scope] = []
    for unit in Set(world.populated).union(world.failedUnits) {
      let record = open.first { $0.unit == unit }
      scopes.append(
        Reconcile.Scope(
          unit: unit.description, hasMainProcess: record.map { mainProcess($0) != nil } ?? false,
          isFailed: world.failedUnits.contains(unit), isPopulated: world.isPopulated(unit)))
    }
    return scopes
  }

  private func mainProcess(_ record: GenerationRecord) -> Int32? {
    let members = simulation.world.members(record.unit)
    guard let pid = record.mainPID else {
      return members.first { simulation.world.processes[$0]?.isMain == true } ?? members.first
    }
    guard members.contains(pid), simulation.world.isAlive(pid, record.mainStartTicks ?? 0) else { return nil }
    return pid
  }

  // MARK: Steps

  /// Does one of the things that can be done now; false when there is none.
  func step() throws -> Bool {
    if let action = reconciling?.first {
      reconciling?.removeFirst()
      try perform(action)
      return true
    }
    if reconciling != nil {
      reconciling = nil
      try settle()
      return true
    }
    var choices: [Choice] = []
    if !takenBack.isEmpty { choices.append(.takeBack) }
    if undoing.contains(where: { canUndo($0) }) { choices.append(.undo) }
    if !jobs.isEmpty { choices.append(.job) }
    let now = simulation.world.now
    for pod in pods.values {
      if let at = pod.backoffAt, at <= now { choices.append(.backoff(pod)) }
      if pod.wakePolicy == .wakes, let door = simulation.world.doors[pod.name], door.waiting > 0 {
        choices.append(.wake(pod))
      }
      if pod.drainDeadline != nil, pod.state == .draining, canEndDrain(pod) { choices.append(.drained(pod)) }
      for run in pod.runs { choose(pod, run, now, &choices) }
    }
    // A dictionary's order changes from run to run.
    choices.sort { $0.order < $1.order }
    guard let choice = simulation.random.pick(choices) else { return false }
    try take(choice)
    return true
  }

  /// What can be done now.
  private enum Choice {
    case takeBack, undo, job
    case backoff(SimulatedPod)
    case drained(SimulatedPod)
    case wake(SimulatedPod)
    case launch(SimulatedPod, SimulatedRun)
    case startTimeout(SimulatedPod, SimulatedRun)
    case ended(SimulatedPod, SimulatedRun, SimulatedRun.Running)
    case clearUp(SimulatedPod, SimulatedRun, SimulatedRun.Running)
    case ready(SimulatedPod, SimulatedRun, UnitName)
    case freezer(SimulatedPod, Bool)
    case unhealthy(SimulatedPod)

    var order: Int {
      switch self {
      case .takeBack: 0
      case .undo: 1
      case .job: 2
      case .backoff(let pod): pod.name.number * 20
      case .drained(let pod): pod.name.number * 20 + 1
      case .launch(let pod, let run): pod.name.number * 20 + 2 + (run === pod.own ? 0 : 1)
      case .startTimeout(let pod, let run): pod.name.number * 20 + 4 + (run === pod.own ? 0 : 1)
      case .ended(let pod, let run, _): pod.name.number * 20 + 6 + (run === pod.own ? 0 : 1)
      case .clearUp(let pod, let run, _): pod.name.number * 20 + 8 + (run === pod.own ? 0 : 1)
      case .ready(let pod, let run, _): pod.name.number * 20 + 10 + (run === pod.own ? 0 : 1)
      case .freezer(let pod, _): pod.name.number * 20 + 12
      case .unhealthy(let pod): pod.name.number * 20 + 13
      case .wake(let pod): pod.name.number * 20 + 14
      }
    }
  }

  private func choose(_ pod: SimulatedPod, _ run: SimulatedRun, _ now: UInt64, _ choices: inout [Choice]) {
    let world = simulation.world
    if run.launch != nil, canAdvance(pod, run) { choices.append(.launch(pod, run)) }
    if let at = run.startDeadline, at <= now { choices.append(.startTimeout(pod, run)) }
    guard let running = run.running else { return }
    let process = world.processes[running.pid]
    let isAlive = process?.ticks == running.ticks
    if run.clearingUp != nil {
      choices.append(.clearUp(pod, run, running))
    } else if !isAlive {
      choices.append(.ended(pod, run, running))
    }
    guard isAlive, let process else { return }
    let awaitsReadiness = run === pod.own ? pod.state == .starting : !run.isRelieving && !run.isStopping
    if awaitsReadiness, process.isReady { choices.append(.ready(pod, run, running.unit)) }
    guard run === pod.own else { return }
    let isFrozen = world.frozenUnits.contains(running.unit)
    if isFrozen != (pod.state == .frozen), pod.state == .ready || pod.state == .frozen {
      choices.append(.freezer(pod, isFrozen))
    }
    if process.isHung, !isFrozen, pod.state == .ready { choices.append(.unhealthy(pod)) }
  }

  private func take(_ choice: Choice) throws {
    switch choice {
    case .takeBack: try takeBack()
    case .undo: undoNext()
    case .job: try doNextJob()
    case .backoff(let pod):
      pod.backoffAt = nil
      try handle(.backoffElapsed, pod)
    case .drained(let pod):
      pod.drainDeadline = nil
      if let unit = pod.own?.unit, simulation.world.requests(in: unit) > 0 {
        simulation.note("the drain of \(unit) has to cut")
        simulation.world.excused.insert(unit)
      }
      try handle(.drained, pod)
    case .wake(let pod):
      simulation.note("somebody wakes \(pod.name)")
      try handle(.start, pod)
    case .launch(let pod, let run): try advanceLaunch(pod, run)
    case .startTimeout(let pod, let run):
      run.startDeadline = nil
      try handle(pod, run, own: .startTimeout, beside: .successorTimeout)
    case .ended(_, let run, let running): mainProcessEnded(run, running)
    case .clearUp(let pod, let run, let running): try clearUp(pod, run, running)
    case .ready(let pod, let run, let unit): try becameReady(pod, run, unit)
    case .freezer(let pod, let isFrozen): try handle(isFrozen ? .frozen : .thawed, pod)
    case .unhealthy(let pod): try handle(.failed(.health), pod)
    }
  }

  private func canEndDrain(_ pod: SimulatedPod) -> Bool {
    guard let unit = pod.own?.unit, let deadline = pod.drainDeadline else { return false }
    return simulation.world.now >= deadline || simulation.world.requests(in: unit) == 0
  }

  /// When the next timer fires; nil when none is armed.
  var nextTimer: UInt64? {
    pods.values.flatMap { pod in
      [pod.backoffAt, pod.drainDeadline].compactMap { $0 } + pod.runs.compactMap(\.startDeadline)
    }.min()
  }

  // MARK: Reconciling

  private func perform(_ action: Reconcile.Action) throws {
    simulation.note("reconciling: \(action)")
    switch action {
    case .adopt(let unit):
      let record = try openRecord(unit)
      if let record, let pod = pods[unit.pod], let pid = mainProcess(record),
        let process = simulation.world.processes[pid]
      {
        adopt(pod, record, pid, process.ticks)
      } else {
        simulation.world.kill(unit)
        endUnseen(unit, record)
      }
    case .relieve(let unit):
      let record = try openRecord(unit)
      if let record, let pod = pods[unit.pod], pod.own != nil, pod.beside == nil,
        let pid = mainProcess(record),
        let process = simulation.world.processes[pid]
      {
        let run = adopted(record, pid, process.ticks)
        pod.beside = run
        pod.lifecycle.adoptPredecessor(record.stopCause ?? .unknownAdopted)
        stop(pod, run)
      } else {
        simulation.world.kill(unit)
        endUnseen(unit, record)
      }
    case .stop(let name, _):
      guard let unit = UnitName(name) else { return }
      simulation.world.kill(unit)
      simulation.world.failedUnits.remove(unit)
    case .resetFailed(let name):
      guard let unit = UnitName(name) else { return }
      try simulation.check(!simulation.world.isPopulated(unit), "\(unit) is forgotten while it runs")
      simulation.world.failedUnits.remove(unit)
    case .end(let unit):
      try simulation.check(
        !simulation.world.isPopulated(unit), "the end of \(unit) is recorded while it runs")
      endUnseen(unit, try openRecord(unit))
    }
  }

  private func adopt(_ pod: SimulatedPod, _ record: GenerationRecord, _ pid: Int32, _ ticks: UInt64) {
    let now = simulation.world.now
    let run = adopted(record, pid, ticks)
    pod.own = run
    pod.lifecycle.adopt(ready: record.readyAt != nil, since: now)
    if record.readyAt == nil { run.startDeadline = now + Self.startTimeout }
    if record.mainPID == nil { jobs.append(.started(record.unit, pid: pid, ticks: ticks)) }
    if simulation.world.killTimes[record.unit] != nil { run.stopCause = run.stopCause ?? .unknownAdopted }
  }

  private func adopted(_ record: GenerationRecord, _ pid: Int32, _ ticks: UInt64) -> SimulatedRun {
    let run = SimulatedRun(launch: nil)
    run.unit = record.unit
    (run.stopCause, run.isStopAskedOnRecord) = (record.stopCause, record.stopAsked)
    run.running = SimulatedRun.Running(unit: record.unit, pid: pid, ticks: ticks, isAdopted: true)
    // As it was launched: that is on record.
    run.handover = simulation.world.handovers[record.unit] ?? simulation.handover(of: record.unit.pod)
    return run
  }

  func openRecord(_ unit: UnitName) throws(StoreError) -> GenerationRecord? {
    try simulation.store.openGenerations().first { $0.unit == unit }
  }

  private func endUnseen(_ unit: UnitName, _ record: GenerationRecord?) {
    let reason = record.unseenEnd
    if let pod = pods[unit.pod], pod.own == nil { pod.lifecycle.endedUnseen(reason) }
    jobs.append(.end(unit, reason))
  }

  private func settle() throws {
    // Reconciler.resumeStops.
    for pod in pods.values.sorted(by: { $0.name < $1.name })
    where pod.state == .ready || pod.state == .starting {
      let drains = handover(of: pod) == .drain
      if let event = pod.lifecycle.resumption(pod.own?.stopCause, drains: drains) { try handle(event, pod) }
    }
    for pod in pods.values where pod.state == .ready {
      let isGoing = pod.own?.unit.map { simulation.world.killTimes[$0] != nil } ?? false
      try simulation.check(!isGoing, "\(pod.name) is called ready and is being stopped")
    }
    // PodHost.openDoors and Firewall.start.
    for pod in pods.values {
      simulation.world.doors[pod.name]?.isAsleep = false
      updateDoor(pod)
    }
    for pod in pods.values.sorted(by: { $0.name < $1.name })
    where pod.record.wanted == .run && pod.state == .cold {
      try handle(.start, pod)
    }
  }

  // MARK: Events and effects

  /// How the running generation can be replaced: Pod.handover.
  func handover(of pod: SimulatedPod) -> Lifecycle.Handover {
    guard let own = pod.own, own.running != nil else { return .queue }
    if own.handover == .drain { return .drain }
    return own.handover == .overlap && simulation.handover(of: pod.name) == .overlap ? .overlap : .queue
  }

  func stopGracefully(_ pod: SimulatedPod, _ reason: EndReason, then next: Lifecycle.AfterStop) throws {
    try handle(.stop(reason, then: next, drains: handover(of: pod) == .drain), pod)
  }

  func handle(
    _ pod: SimulatedPod, _ run: SimulatedRun, own event: Lifecycle.Event, beside other: Lifecycle.Event
  ) throws {
    if run === pod.own {
      try handle(event, pod)
    } else if run === pod.beside {
      try handle(other, pod)
    }
  }

  func handle(_ event: Lifecycle.Event, _ pod: SimulatedPod) throws {
    let before = pod.state
    let effects = pod.lifecycle.handle(
      event, now: simulation.world.now, random: simulation.random.unit(), policy: policy)
    simulation.note("\(pod.name) \(before) × \(event) → \(pod.state) \(effects)")
    for effect in effects { try perform(effect, pod, because: event) }
    if !pod.state.hasScope { resolve(pod, pod.lifecycle.lastEnd ?? .operator) }
  }

  private func perform(
    _ effect: Lifecycle.Effect, _ pod: SimulatedPod, because event: Lifecycle.Event
  ) throws {
    let now = simulation.world.now
    switch effect {
    case .launch:
      try simulation.check(pod.own == nil, "\(pod.name) is launched while its own generation is there")
      if event == .backoffElapsed {
        if !pod.diedOfHost { pod.relaunches.append(pod.diedAt) }
      } else {
        pod.relaunches = []
      }
      pod.own = SimulatedRun(launch: .waitingForItsTurn)
    case .launchSuccessor:
      try simulation.check(pod.beside == nil, "\(pod.name) is to have three generations")
      pod.beside = SimulatedRun(launch: .waitingForItsTurn)
    case .promote: swap(&pod.own, &pod.beside)
    case .cancelTimer:
      pod.backoffAt = nil
      pod.drainDeadline = nil
      for run in pod.runs { run.startDeadline = nil }
    case .drain:
      if let own = pod.own { recordStopCause(pod, own) }
      pod.drainDeadline = now + Self.drainTimeout
      let until = now + Self.drainTimeout + Self.stopTimeout + Self.startTimeout
      pod.heldUntil = until
      simulation.world.doors[pod.name, default: World.Door()].heldUntil = until
    case .release:
      pod.heldUntil = nil
      simulation.world.doors[pod.name]?.heldUntil = nil
    case .stopScope: if let own = pod.own { stop(pod, own) }
    case .stopBeside: if let beside = pod.beside { stop(pod, beside) }
    case .freezeScope: if let unit = pod.own?.unit { simulation.world.frozenUnits.insert(unit) }
    case .thawScope: if let unit = pod.own?.unit { simulation.world.frozenUnits.remove(unit) }
    case .recordEnd(let reason):
      if let own = pod.own { try recordEnd(own, reason) }
      pod.own = nil
    case .recordBesideEnd(let reason):
      if let beside = pod.beside { try recordEnd(beside, reason) }
      pod.beside = nil
    case .armBackoff(let delay):
      try simulation.check(
        (policy.firstDelay...(policy.maxDelay + policy.maxDelay / 4)).contains(delay),
        "\(pod.name) is to be launched again in \(delay) µs")
      pod.backoffAt = now + delay
      pod.diedAt = now
      pod.diedOfHost = pod.lifecycle.lastEnd?.isOfHost ?? false
    case .persist(let wanted):
      pod.record.wanted = wanted
      jobs.append(.wanted(pod.name, wanted))
    case .holdCrashLoop(let held):
      pod.record.crashLoopHold = held
      jobs.append(.hold(pod.name, held))
    case .resolveReady: resolve(pod, nil)
    case .resolveFailed(let reason): resolve(pod, reason)
    case .announce:
      updateDoor(pod)
    }
  }

  // MARK: Doors

  /// Door.update.
  func updateDoor(_ pod: SimulatedPod) {
    guard isServing else { return }
    pod.wakePolicy = pod.wakePolicy.next(pod.state, users: pod.takenBack > 0 ? 0 : pod.record.users)
    if !pod.wakePolicy.needsSocket(pod.state) { simulation.turnAway(pod.name) }
    switch pod.wakePolicy {
    case .closed: simulation.world.doors[pod.name]?.isAsleep = false
    case .wakes:
      let handover = pod.own?.handover ?? simulation.handover(of: pod.name)
      if handover == .drain {
        simulation.world.doors[pod.name, default: World.Door()].isAsleep = true
      } else {
        simulation.world.doors[pod.name, default: World.Door()].isListening = true
      }
    case .keeps: break
    }
  }

  func sleepsForSomebody(_ pod: SimulatedPod) -> Bool {
    pod.state == .cold && pod.record.users > 0 && pod.takenBack == 0
  }

  private func recordEnd(_ run: SimulatedRun, _ reason: EndReason) throws {
    guard let unit = run.unit else { return }
    try simulation.check(!simulation.world.isPopulated(unit), "the end of \(unit) is recorded while it runs")
    jobs.append(.end(unit, reason))
  }

  // MARK: Calls

  func newCall(_ kind: SimulatedCall.Kind) -> Int {
    defer { nextCall += 1 }
    calls[nextCall] = SimulatedCall(kind: kind, since: simulation.world.now)
    return nextCall
  }

  func resolve(_ pod: SimulatedPod, _ reason: EndReason?) {
    let waiting = pod.waiters
    pod.waiters = []
    for number in waiting { answer(number, pod, reason) }
  }

  /// Nil: the pod serves.
  func answer(_ number: Int, _ pod: SimulatedPod, _ reason: EndReason?) {
    guard let call = calls[number] else { return }
    if case .stop = call.kind, pod.state == .stopping || pod.state == .draining, !pod.isForgotten {
      pod.waiters.append(number)
      return
    }
    calls[number] = nil
    guard case .provision(let user, _) = call.kind, let placed = call.placed else { return }
    if reason == nil { confirm(user, placed) } else { takenBack.append(placed) }
  }

  /// Failed provisions, whose placement is to be taken back. Not at once: podd's tasks resume later.
  var takenBack: [Provisioned] = []
  var undoing: [Provisioned] = []

  func confirm(_ user: String, _ placed: Provisioned) {
    simulation.note("confirmed: \(user) on \(placed.pod.name)")
    simulation.confirmed[user] = placed.pod.name
    endTurn(of: user)
  }

  /// Calls about one user are dealt with one after the other: the first may have to take back what the
  /// second was told.
  func takeTurn(of user: String, _ body: @escaping () -> Void) {
    if turns[user] == nil {
      turns[user] = []
      body()
    } else {
      turns[user]?.append(body)
    }
  }

  func endTurn(of user: String) {
    guard var waiting = turns[user], !waiting.isEmpty else {
      turns[user] = nil
      return
    }
    let next = waiting.removeFirst()
    turns[user] = waiting
    next()
  }
}
