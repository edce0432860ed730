import PodModel
import PodStore
import Time

/// Performs in the simulated world what `PodMachine`, `Reconcile` and `Admission` decide, as podd does with systemd, and
/// reports the results to them. It decides nothing about a pod. When podd dies, the performer is released.
final class Performer {
  /// What podd does before it attends to anything else.
  enum Work {
    case effect(SimulatedPod, PodMachine.Effect)
    case event(SimulatedPod, PodMachine.Event)
    /// The rest of a call.
    case call(Int?, () throws -> Void)
  }

  unowned let simulation: Simulation
  var pods: [PodName: SimulatedPod] = [:]
  /// Their rows are gone; what is under way of them comes to its end.
  var forgotten: [SimulatedPod] = []
  var work: [Work] = []
  var jobs: [StoreJob] = []
  var calls: [Int: SimulatedCall] = [:]
  var nextCall = 1
  /// Users of whom a call is under way, and the calls that wait for their turn.
  var turns: [UserName: [() -> Void]] = [:]
  /// Failed provisions, whose placement is to be taken back. Not at once: podd's tasks resume later.
  var takenBack: [Provisioned] = []
  var undoing: [Provisioned] = []
  /// Who waits until programs know their users.
  var deliveries: [SimulatedDelivery] = []
  var launchSlots = Performer.launchesMax
  /// Generations that ended while they waited for a slot: each gets it nevertheless, later.
  var lateTurns: [(pod: SimulatedPod, id: PodMachine.ID)] = []
  /// Pods whose directory is clean, which is on its way to the disk.
  var cleaning: Set<PodName> = []
  /// Pods whose wish the store may have taken back.
  var doubtfulWishes: Set<PodName> = []
  /// Why it asked PID 1 to stop a generation.
  var stops: [UnitName: EndReason] = [:]
  /// What was open on record when it started.
  private let found: [UnitName: GenerationRecord]
  /// What reconciling still has to do; nil once it is done.
  private var reconciling: [Reconcile.Action]?
  /// Clients are served.
  private(set) var isServing = false

  static let startTimeout: Microseconds = .seconds(30)
  static let stopTimeout: Microseconds = .seconds(20)
  static let hungTimeout: Microseconds = .seconds(10)
  static let drainTimeout: Microseconds = .seconds(30)
  static let launchesMax = 2

  /// Reads the store and the world and decides; acting is for later steps.
  init(_ simulation: Simulation) throws {
    self.simulation = simulation
    simulation.note("podd starts")
    // Firewall.start: whoever an earlier podd held off is let in.
    for pod in simulation.world.doors.keys { simulation.world.doors[pod]?.heldUntil = nil }
    for record in try simulation.store.pods() {
      pods[record.name] = SimulatedPod(record, now: simulation.world.now)
    }
    let open = try simulation.store.openGenerations()
    found = Dictionary(uniqueKeysWithValues: open.map { ($0.unit, $0) })
    simulation.openRows = Set(open.map(\.unit))
    simulation.lostEnds = []
    simulation.lostWishes = []
    reconciling = Reconcile.decide(
      rows: open.map { Reconcile.Row(unit: $0.unit, bootID: $0.bootID, isReady: $0.readyAt != nil) },
      scopes: scopes(open),
      boot: simulation.world.bootID)
  }

  // MARK: Steps

  /// Does one of the things that can be done now; false when there is none.
  func step() throws -> Bool {
    if !work.isEmpty {
      try doWork()
      return true
    }
    if let action = reconciling?.first {
      reconciling?.removeFirst()
      try perform(action)
    } else if reconciling != nil {
      reconciling = nil
      try settle()
    } else {
      guard let choice = simulation.random.pick(choices) else { return false }
      try take(choice)
    }
    try doWork()
    return true
  }

  /// One effect after the other. podd may die between any two, and the world may go on.
  private func doWork() throws {
    while simulation.podd === self || simulation.podd == nil, !work.isEmpty {
      switch work.removeFirst() {
      case .effect(let pod, let effect): try perform(effect, pod)
      case .event(let pod, let event): try handle(event, pod)
      case .call(_, let body): try body()
      }
      if simulation.isCalm { continue }
      if simulation.random.chance(perMille: simulation.odds.deaths) { return simulation.crash() }
      if simulation.random.chance(12) { return }
    }
  }

  /// Gives an event to a pod's machine. What is to be done comes before everything else that waits.
  func handle(_ event: PodMachine.Event, _ pod: SimulatedPod, andThen rest: Work? = nil) throws {
    let before = pod.state
    pod.decidedAt = simulation.world.now
    let effects = pod.machine.handle(
      event, now: simulation.world.now, random: simulation.random.unit(), policy: simulation.policy)
    simulation.note("\(pod.name) \(before) × \(event) → \(pod.state) \(effects)")
    var list: [Work] = []
    var events: [Work] = []
    for effect in effects {
      if case .then(let event) = effect {
        events.append(.event(pod, event))
      } else {
        list.append(.effect(pod, effect))
      }
    }
    work = list + events + [rest].compactMap { $0 } + work
  }

  // MARK: Reconciling

  private func scopes(_ open: [GenerationRecord]) -> [Reconcile.Scope] {
    let world = simulation.world
    var scopes: [Reconcile.Scope] = []
    for unit in Set(world.populated).union(world.failedUnits) {
      let record = open.first { $0.unit == unit }
      scopes.append(
        Reconcile.Scope(
          unit: unit, hasMainProcess: record.map { mainProcess($0) != nil } ?? false,
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

  private func perform(_ action: Reconcile.Action) throws {
    simulation.note("reconciling: \(action)")
    switch action {
    case .adopt(let unit): adopt(unit, as: .current)
    case .relieve(let unit): adopt(unit, as: .other)
    case .stop(let unit, _):
      simulation.world.kill(unit)
      simulation.world.failedUnits.remove(unit)
    case .resetFailed(let unit):
      try simulation.check(!simulation.world.isPopulated(unit), "\(unit) is forgotten while it runs")
      simulation.world.failedUnits.remove(unit)
    case .end(let unit):
      try simulation.check(
        !simulation.world.isPopulated(unit), "the end of \(unit) is recorded while it runs")
      endUnseen(unit, found[unit])
    }
  }

  private func adopt(_ unit: UnitName, as position: Lifecycle.Position) {
    let world = simulation.world
    let record = found[unit]
    guard let record, let pod = pods[unit.pod], let pid = mainProcess(record),
      let process = world.processes[pid],
      let (id, effects) = pod.machine.adopt(found(record), as: position, now: world.now)
    else {
      simulation.world.kill(unit)
      return endUnseen(unit, record)
    }
    let generation = SimulatedGeneration(id: id)
    generation.unit = unit
    generation.pid = pid
    generation.ticks = process.ticks
    generation.isAdopted = true
    pod.needsUserCheck = true
    pod.generations[id] = generation
    pod.isFirewallOpen = true
    if record.mainPID == nil { jobs.append(.started(unit, pid: pid, ticks: process.ticks)) }
    work += effects.map { .effect(pod, $0) }
  }

  private func found(_ record: GenerationRecord) -> PodMachine.Found {
    // By others, where podd has not written down why.
    let isGoing = simulation.world.killTimes[record.unit] != nil
    let cause = record.stopCause ?? (isGoing ? .unknownAdopted : nil)
    // As it was launched: that is on record.
    let handover = simulation.world.handovers[record.unit] ?? simulation.handover(of: record.unit.pod)
    return PodMachine.Found(
      unit: record.unit, isReady: record.readyAt != nil,
      stop: cause.map { GenerationLife.StopRecord(cause: $0, isAsked: record.stopAsked) },
      traits: GenerationLife.Traits(handover: handover, reload: simulation.reload(of: record.unit.pod)))
  }

  private func endUnseen(_ unit: UnitName, _ record: GenerationRecord?) {
    let reason = record.unseenEnd
    pods[unit.pod]?.machine.endedUnseen(reason)
    jobs.append(.end(unit, reason))
  }

  private func settle() throws {
    let known = pods.values.sorted { $0.name < $1.name }
    work += known.map { .event($0, .resume) }
    work.append(
      .call(nil) { [unowned self] in
        for pod in known where pod.state == .ready {
          let isGoing = pod.machine.current?.unit.map { simulation.world.killTimes[$0] != nil } ?? false
          try simulation.check(!isGoing, "\(pod.name) is called ready and is being stopped")
        }
        // PodHost.openDoors and Firewall.start.
        isServing = true
        for pod in known {
          simulation.world.doors[pod.name]?.isAsleep = false
          updateDoor(pod)
        }
        for pod in known { try stopUnused(pod) }
        try stopUnneeded(known)
        try finishDataWork()
        work += known.filter(\.lifecycle.isDueForLaunch).map { .event($0, .pod(.start)) }
      })
  }
}
