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
  static let launchesMax = 2

  /// Reads the store, looks at what runs and decides; acting is for later steps.
  init(_ simulation: Simulation) throws {
    self.simulation = simulation
    simulation.note("podd starts")
    for record in try simulation.store.pods() {
      pods[record.name] = SimulatedPod(record, now: simulation.world.now)
    }
    for user in try simulation.store.unsettled() { jobs.append(.settled(user: user.name)) }
    let open = try simulation.store.openGenerations()
    simulation.openRows = Set(open.map(\.unit))
    simulation.lostEnds = []
    simulation.lostWishes = []
    reconciling = Reconcile.decide(
      rows: open.map { Reconcile.Row(unit: $0.unit, bootID: $0.bootID) }, scopes: look(open),
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
    var choices: [() throws -> Void] = []
    if !takenBack.isEmpty { choices.append { try self.takeBack() } }
    if let undo = undo() { choices.append(undo) }
    if !jobs.isEmpty { choices.append { try self.doNextJob() } }
    let now = simulation.world.now
    for pod in pods.values.sorted(by: { $0.name < $1.name }) {
      if pod.launch != nil, canAdvance(pod) { choices.append { try self.advanceLaunch(pod) } }
      if let timer = pod.timer, timer.at <= now {
        choices.append {
          pod.timer = nil
          try self.handle(timer.event, pod)
        }
      }
      if let running = pod.running {
        let world = simulation.world
        if pod.clearingUp == nil, !world.isAlive(running.pid, running.ticks) {
          choices.append { self.mainProcessEnded(pod, running) }
        }
        if pod.clearingUp != nil { choices.append { try self.clearUp(pod, running) } }
        if pod.isStopping, world.isPopulated(running.unit) {
          choices.append { self.simulation.world.stop(running.unit) }
        }
        if pod.state == .starting, world.processes[running.pid]?.isReady == true,
          world.isAlive(running.pid, running.ticks)
        {
          choices.append { try self.becameReady(pod, running) }
        }
      }
    }
    guard let choice = simulation.random.pick(choices) else { return false }
    try choice()
    return true
  }

  /// When the next timer fires; nil when none is armed.
  var nextTimer: UInt64? { pods.values.compactMap { $0.timer?.at }.min() }

  // MARK: Reconciling

  private func perform(_ action: Reconcile.Action) throws {
    simulation.note("reconciling: \(action)")
    switch action {
    case .adopt(let unit):
      let record = try simulation.store.openGenerations().first { $0.unit == unit }
      if let record, let pod = pods[unit.pod], let pid = mainProcess(record),
        let process = simulation.world.processes[pid]
      {
        adopt(pod, record, pid, process.ticks)
      } else {
        simulation.world.stop(unit)
        endUnseen(unit)
      }
    case .stop(let name, _):
      guard let unit = UnitName(name) else { return }
      simulation.world.stop(unit)
      simulation.world.failedUnits.remove(unit)
    case .resetFailed(let name):
      guard let unit = UnitName(name) else { return }
      try simulation.check(!simulation.world.isPopulated(unit), "\(unit) is forgotten while it runs")
      simulation.world.failedUnits.remove(unit)
    case .end(let unit):
      try simulation.check(
        !simulation.world.isPopulated(unit), "the end of \(unit) is recorded while it runs")
      endUnseen(unit)
    }
  }

  private func adopt(_ pod: SimulatedPod, _ record: GenerationRecord, _ pid: Int32, _ ticks: UInt64) {
    let now = simulation.world.now
    pod.running = SimulatedPod.Running(unit: record.unit, pid: pid, ticks: ticks, isAdopted: true)
    pod.openUnit = record.unit
    pod.lifecycle.adopt(ready: record.readyAt != nil, since: now)
    if record.readyAt == nil { pod.timer = (now + Self.startTimeout, .startTimeout) }
    if record.mainPID == nil { jobs.append(.started(record.unit, pid: pid, ticks: ticks)) }
  }

  private func endUnseen(_ unit: UnitName) {
    if let pod = pods[unit.pod], pod.running == nil { pod.lifecycle.endedUnseen(.unknownAdopted) }
    jobs.append(.end(unit, .unknownAdopted))
  }

  private func settle() throws {
    for pod in pods.values.sorted(by: { $0.name < $1.name }) {
      switch (pod.record.wanted, pod.state) {
      case (.run, .cold): try handle(.start, pod)
      case (.stopped, .ready), (.stopped, .starting): try handle(.stop(.operator, then: .stopped), pod)
      case (.cold, .ready), (.cold, .starting): try handle(.stop(.idle, then: .cold), pod)
      default: break
      }
    }
  }

  // MARK: Events and effects

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
      try simulation.check(pod.launch == nil, "\(pod.name) is launched twice at once")
      try simulation.check(
        pod.running == nil, "\(pod.name) is launched while \(pod.openUnit?.description ?? "it") runs")
      if event == .backoffElapsed { pod.relaunches.append(pod.diedAt) } else { pod.relaunches = [] }
      pod.launch = .waitingForItsTurn
    case .armStartTimeout: pod.timer = (now + Self.startTimeout, .startTimeout)
    case .cancelTimer: pod.timer = nil
    case .stopScope:
      if pod.running != nil {
        pod.isStopping = true
      } else if let held = pod.heldProcess {
        simulation.world.end(held, .signal("KILL"))
      }
    case .recordEnd(let reason): try recordEnd(pod, reason)
    case .armBackoff(let delay):
      try simulation.check(
        (policy.firstDelay...(policy.maxDelay + policy.maxDelay / 4)).contains(delay),
        "\(pod.name) is to be launched again in \(delay) µs")
      pod.timer = (now + delay, .backoffElapsed)
      pod.diedAt = now
    case .persist(let wanted):
      pod.record.wanted = wanted
      jobs.append(.wanted(pod.name, wanted))
    case .holdCrashLoop(let held):
      pod.record.crashLoopHold = held
      jobs.append(.hold(pod.name, held))
    case .resolveReady: resolve(pod, nil)
    case .resolveFailed(let reason): resolve(pod, reason)
    case .announce: break
    }
  }

  private func recordEnd(_ pod: SimulatedPod, _ reason: EndReason) throws {
    guard let unit = pod.openUnit else { return }
    pod.openUnit = nil
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
    if case .stop = call.kind, pod.state == .stopping, !pod.isForgotten {
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
