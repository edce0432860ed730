import PodModel
import Time
import TimeLiterals

/// Feeds events to one pod's machine, a microsecond apart unless another time is given, and keeps what is to be done.
struct MachineDriver {
  var machine: PodMachine
  var policy = Lifecycle.Policy()
  var now = LoopTime.zero
  private(set) var effects: [PodMachine.Effect] = []

  static let pod = PodName(number: 1)
  static let crash = exit(.exited(1))

  init(wanted: Lifecycle.Wanted = .cold, startLimitHit: Bool = false, restarts: UInt64 = 0) {
    let lifecycle = Lifecycle(
      wanted: wanted, startLimitHit: startLimitHit, lastEnd: nil, restarts: restarts, now: .zero)
    machine = PodMachine(Self.pod, lifecycle: lifecycle, lastGeneration: 0)
  }

  static func unit(_ generation: Int) -> UnitName { UnitName(pod: pod, generation: generation) }

  static func exit(_ exit: EndEvidence.Exit?) -> EndEvidence {
    var evidence = EndEvidence()
    evidence.exit = exit
    return evidence
  }

  static func failure(_ stage: LaunchStage) -> GenerationLife.Event {
    .failed(LaunchFailure(stage: stage, error: "EIO"))
  }

  /// Also what is to follow before everything else.
  mutating func send(_ event: PodMachine.Event, after span: Microseconds = 1) {
    now += span
    effects = []
    var events = [event]
    while !events.isEmpty {
      for effect in machine.handle(events.removeFirst(), now: now, random: 0, policy: policy) {
        if case .then(let next) = effect { events.append(next) } else { effects.append(effect) }
      }
    }
  }

  mutating func current(_ events: GenerationLife.Event...) {
    for event in events { if let id = machine.current?.id { send(.generation(id, event)) } }
  }

  mutating func other(_ events: GenerationLife.Event...) {
    for event in events { if let id = machine.other?.id { send(.generation(id, event)) } }
  }

  /// Leads a generation that was just begun to a program that runs.
  mutating func launch(
    _ position: Lifecycle.Position = .current, _ handover: Lifecycle.Handover = .queue, workers: Int = 0,
    reload: GenerationLife.Traits.Reload = .restart
  ) {
    let unit = Self.unit(machine.lastGeneration + 1)
    let traits = GenerationLife.Traits(handover: handover, furtherProcesses: workers, reload: reload)
    let events: [GenerationLife.Event] = [
      .strayScopesGone(next: handover), .turn(traits), .written(unit), .parked, .firewallOpened,
      .scopeStarted,
      .limitsVerified, .programRuns,
    ]
    for event in events {
      switch position {
      case .current: current(event)
      case .other: other(event)
      }
    }
  }

  /// A pod that serves.
  static func ready(
    _ handover: Lifecycle.Handover = .queue, workers: Int = 0, reload: GenerationLife.Traits.Reload = .restart
  ) -> MachineDriver {
    var driver = MachineDriver()
    driver.send(.pod(.start))
    driver.launch(.current, handover, workers: workers, reload: reload)
    driver.current(.ready)
    return driver
  }

  /// A pod that serves, and its predecessor, which is being stopped.
  static func relieved(_ handover: Lifecycle.Handover = .overlap, workers: Int = 0) -> MachineDriver {
    var driver = MachineDriver.ready(handover, workers: workers)
    if workers > 0 { driver.current(.workers(workers), .workersComplete) }
    driver.send(.replace(.operator, next: handover))
    driver.launch(.other, handover, workers: workers)
    driver.other(.ready, .readinessRecorded)
    return driver
  }

  /// The last list's effects of one generation.
  func effects(of id: PodMachine.ID?) -> [GenerationLife.Effect] {
    effects.compactMap { if case .generation(id, let effect) = $0 { effect } else { nil } }
  }

  /// Whether the last list asks systemd to stop the other generation.
  var stopsOther: Bool { effects(of: machine.other?.id).contains(.stopUnit(isHung: false)) }

  /// Of both, in their order.
  var ofGenerations: [GenerationLife.Effect] {
    effects.compactMap { if case .generation(_, let effect) = $0 { effect } else { nil } }
  }
}
