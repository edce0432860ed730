import PodModel
import Testing
import Time
import TimeLiterals

/// What a pod makes of its two generations.
@Suite struct PodMachineTests {
  static let stop = PodMachine.Event.stopGracefully(.operator, then: .stopped)
  static let crash = EndEvidence.Exit.exited(1)

  /// The scope of a generation is empty after its main process ended.
  private static func ended(_ exit: EndEvidence.Exit?) -> [GenerationLife.Event] {
    [
      .mainProcessEnded(mayBeInherited: false),
      .evidence(MachineDriver.exit(exit), scopeIsEmpty: true),
    ]
  }

  // MARK: Timeouts

  /// Until the program runs podd waits for the host, so a start timeout is the host's, and named by the stage.
  @Test func aStartTimeoutBeforeTheProgramRunsIsTheHosts() {
    let steps: [(GenerationLife.Event, LaunchStage)] = [
      (.turn(GenerationLife.Traits(handover: .queue)), .store), (.written(MachineDriver.unit(1)), .spawn),
      (.parked, .firewall), (.firewallOpened, .scope), (.scopeStarted, .limits), (.limitsVerified, .release),
    ]
    for count in 1...steps.count {
      var driver = MachineDriver()
      driver.send(.pod(.start))
      driver.current(.strayScopesGone(next: .queue))
      for step in steps.prefix(count) { driver.current(step.0) }
      let reason = EndReason.launchFailed(stage: steps[count - 1].1, error: "ETIMEDOUT")
      driver.current(.startTimeout)
      #expect(driver.effects.contains(.resolveFailed(reason)))
      #expect(driver.machine.lifecycle.stopCause == reason && reason.isOfHost)
    }
    var driver = MachineDriver()
    driver.send(.pod(.start))
    driver.launch()
    driver.current(.startTimeout)
    #expect(driver.machine.lifecycle.stopCause == .startTimeout)
  }

  /// The launch that was given up is reported like one that failed.
  @Test func aLaunchThatTheHostKeptTooLongIsReported() {
    var driver = MachineDriver()
    driver.send(.pod(.start))
    driver.current(
      .strayScopesGone(next: .queue), .turn(GenerationLife.Traits(handover: .queue)),
      .written(MachineDriver.unit(1)), .startTimeout, .failed(LaunchFailure(stage: .spawn, error: "ESRCH")))
    driver.current(.abandoned)
    #expect(
      driver.ofGenerations.contains(.reportLaunchFailure(LaunchFailure(stage: .spawn, error: "ETIMEDOUT"))))
    #expect(driver.machine.lifecycle.state == .backoff)
  }

  // MARK: Room

  /// A current generation that died while its predecessor was still finishing, and was launched again.
  private func relaunched() -> MachineDriver {
    var driver = MachineDriver.relieved()
    for event in Self.ended(Self.crash) { driver.current(event) }
    driver.send(.pod(.backoffElapsed))
    return driver
  }

  @Test(
    arguments: [
      (Lifecycle.Handover.overlap, true), (.queue, false), (.drain, false), (nil, false),
    ] as [(Lifecycle.Handover?, Bool)])
  func whoMayNotOverlapWaitsForRoom(next: Lifecycle.Handover?, mayBegin: Bool) {
    var driver = relaunched()
    driver.current(.strayScopesGone(next: next))
    #expect(driver.machine.current?.phase == .waiting(mayBegin ? .turn : .room))
    #expect(driver.ofGenerations == (mayBegin ? [.awaitTurn] : []))
    for event in Self.ended(.exited(0)) { driver.other(event) }
    #expect(driver.machine.current?.phase == .waiting(.turn))
    #expect(driver.ofGenerations.contains(.awaitTurn) != mayBegin)
  }

  @Test func aSuccessorNeedsNoRoom() {
    var driver = MachineDriver.ready(.overlap)
    driver.send(.replace(.operator, next: .overlap))
    driver.other(.strayScopesGone(next: .queue))
    #expect(driver.ofGenerations == [.awaitTurn])
  }

  @Test func aSuccessorThatMayNotOverlapAnyMoreWaitsForTheEndOfTheCurrentGeneration() {
    var driver = MachineDriver.ready(.overlap)
    driver.send(.replace(.operator, next: .overlap))
    driver.other(.strayScopesGone(next: .overlap), .turn(GenerationLife.Traits(handover: .queue)))
    #expect(driver.machine.lifecycle.state == .stopping && driver.machine.other == nil)
    #expect(driver.ofGenerations.first == .endTurn)
    #expect(driver.ofGenerations.contains(.stopUnit(isHung: false)))
    #expect(!driver.effects.contains(.resolveFailed(.operator)))
    for event in Self.ended(.exited(0)) { driver.current(event) }
    #expect(driver.machine.lifecycle.state == .starting && driver.machine.lifecycle.lastEnd == .operator)
  }

  @Test func whoMayNotOverlapAnyMoreWaitsForRoomAgain() {
    var driver = relaunched()
    driver.current(.strayScopesGone(next: .overlap), .turn(GenerationLife.Traits(handover: .drain)))
    #expect(driver.machine.current?.phase == .waiting(.room))
    #expect(driver.ofGenerations == [.endTurn])
    for event in Self.ended(.exited(0)) { driver.other(event) }
    #expect(driver.machine.current?.phase == .waiting(.turn) && driver.ofGenerations.last == .awaitTurn)
  }

  @Test(
    arguments: [
      (Lifecycle.Handover.overlap, Lifecycle.Handover.overlap, Lifecycle.Handover.overlap),
      (.overlap, .queue, .queue), (.overlap, nil, .queue), (.queue, .overlap, .queue),
      (.drain, .overlap, .drain),
      (.drain, nil, .drain),
    ] as [(Lifecycle.Handover, Lifecycle.Handover?, Lifecycle.Handover)])
  func bothHaveToAllowAnOverlap(
    current: Lifecycle.Handover, next: Lifecycle.Handover?, handover: Lifecycle.Handover
  ) {
    #expect(MachineDriver.ready(current).machine.handover(next: next) == handover)
  }

  // MARK: Handover

  @Test func aSuccessorsReadinessIsOnTheDiskBeforeItsPredecessorIsStopped() {
    var driver = MachineDriver.ready(.overlap)
    let first = driver.machine.current?.id
    driver.send(.replace(.operator, next: .overlap))
    driver.launch(.other, .overlap)
    driver.other(.ready)
    #expect(driver.ofGenerations == [.recordReadiness(isAwaited: true)])
    driver.other(.ready)
    #expect(driver.effects.isEmpty)
    driver.other(.readinessRecorded)
    #expect(driver.machine.other?.id == first && driver.machine.lifecycle.state == .ready)
    let record = GenerationLife.StopRecord(cause: .operator, isAsked: true)
    #expect(driver.effects(of: first) == [.recordStop(record), .stopUnit(isHung: false), .watchConnections])
    let second = driver.machine.current?.id
    #expect(driver.effects(of: second) == [.serve])
  }

  @Test func aSuccessorTakesOverFromOneThatDiedWhileItsReadinessWasBeingWritten() {
    var driver = MachineDriver.ready(.overlap)
    driver.send(.replace(.operator, next: .overlap))
    driver.launch(.other, .overlap)
    driver.other(.ready)
    for event in Self.ended(Self.crash) { driver.current(event) }
    #expect(driver.machine.lifecycle.state == .starting && driver.machine.other == nil)
    driver.current(.readinessRecorded)
    #expect(driver.machine.lifecycle.state == .ready)
    // It is on record already.
    #expect(driver.ofGenerations == [.serve])
  }

  @Test func aPredecessorWithWorkersIsStoppedWhenTheLastOfItsSuccessorsRuns() {
    var driver = MachineDriver.relieved(workers: 2)
    #expect(!driver.stopsOther)
    driver.current(.workers(1))
    driver.other(.workers(1))
    #expect(driver.effects.isEmpty)
    driver.current(.workers(2), .workersComplete)
    #expect(driver.stopsOther)
  }

  @Test func aPredecessorWithWorkersIsStoppedWhenItsSuccessorsSuccessorServes() {
    var driver = MachineDriver.relieved(workers: 2)
    for event in Self.ended(Self.crash) { driver.current(event) }
    driver.send(.pod(.backoffElapsed))
    driver.launch(.current, .overlap)
    driver.current(.ready)
    #expect(driver.stopsOther)
  }

  @Test func nothingGoesOnOfAPodThatHitItsStartLimit() {
    var driver = MachineDriver.relieved(workers: 2)
    driver.policy.burst = 1
    for event in Self.ended(Self.crash) { driver.current(event) }
    #expect(driver.machine.lifecycle.state == .crashLoop)
    #expect(driver.stopsOther)
    #expect(driver.effects.contains(.recordStartLimitHit(true)))
  }

  // MARK: Stops

  @Test func whyItIsStoppedIsWrittenDownOnceAndNeverTakenBack() {
    var driver = MachineDriver.ready(.drain)
    driver.send(Self.stop)
    let drained = GenerationLife.StopRecord(cause: .operator, isAsked: false)
    #expect(driver.ofGenerations == [.recordStop(drained), .drain])
    driver.current(.drained)
    let asked = GenerationLife.StopRecord(cause: .operator, isAsked: true)
    #expect(driver.ofGenerations == [.recordStop(asked), .stopUnit(isHung: false), .watchConnections])
    driver.send(Self.stop)
    #expect(driver.ofGenerations.isEmpty)
  }

  @Test func whatAnEarlierPoddAskedForIsNotTakenBackByADrain() {
    var driver = MachineDriver(wanted: .stopped)
    let asked = GenerationLife.StopRecord(cause: .idle, isAsked: true)
    let found = PodMachine.Found(
      unit: MachineDriver.unit(1), isReady: true, stop: asked, traits: .init(handover: .drain))
    #expect(driver.machine.adopt(found, as: .current, now: 0) != nil)
    driver.send(.resume)
    #expect(
      driver.ofGenerations == [
        .recordStop(GenerationLife.StopRecord(cause: .operator, isAsked: true)), .drain,
      ])
  }

  @Test func anEndThatNobodySawIsTheStopsThatWasAskedFor() {
    for (isAsked, reason) in [(true, EndReason.idle), (false, .unknownAdopted)] {
      var driver = MachineDriver(wanted: .run)
      let stop = GenerationLife.StopRecord(cause: .idle, isAsked: isAsked)
      let found = PodMachine.Found(
        unit: MachineDriver.unit(1), isReady: true, stop: stop, traits: .init(handover: .queue))
      _ = driver.machine.adopt(found, as: .current, now: 0)
      for event in Self.ended(nil) { driver.current(event) }
      #expect(driver.machine.lifecycle.lastEnd == reason)
    }
  }

  @Test func aHungPodIsGivenLessTime() {
    var driver = MachineDriver.ready()
    driver.current(.unhealthy(.health))
    #expect(driver.ofGenerations.contains(.stopUnit(isHung: true)))
    // Also what it leaves behind.
    driver.current(.mainProcessEnded(mayBeInherited: false))
    driver.current(.evidence(MachineDriver.crash, scopeIsEmpty: false))
    #expect(driver.ofGenerations == [.stopUnit(isHung: true), .awaitEmptyScope])
  }

  @Test func whatHangsNextToTheCurrentOneDoesNotStopIt() {
    var driver = MachineDriver.relieved()
    driver.other(.unhealthy(.health), .drained, .frozen, .thawed, .workersComplete)
    #expect(driver.machine.lifecycle.state == .ready && driver.effects.isEmpty)
  }

  @Test func whatTheMainProcessLeftBehindKeepsAPodFromBeingReady() {
    var driver = MachineDriver.ready()
    driver.current(.mainProcessEnded(mayBeInherited: false))
    #expect(driver.machine.lifecycle.state == .ready)
    driver.current(.evidence(MachineDriver.crash, scopeIsEmpty: false))
    #expect(driver.machine.lifecycle.state == .stopping)
    driver.current(.scopeEmpty)
    #expect(driver.machine.lifecycle.state == .backoff && driver.machine.lifecycle.lastEnd == .exited(1))
  }

  @Test func theFirewallIsClosedWithTheLastGeneration() {
    var driver = MachineDriver.relieved()
    for event in Self.ended(.exited(0)) { driver.other(event) }
    #expect(!driver.ofGenerations.contains(.closeFirewall))
    for event in Self.ended(Self.crash) { driver.current(event) }
    #expect(driver.ofGenerations.contains(.closeFirewall))
  }

  // MARK: Launches

  @Test func theStoreFailsALaunchBeforePodLaunchDoes() {
    for events in [
      [MachineDriver.failure(.store), MachineDriver.failure(.spawn)],
      [MachineDriver.failure(.spawn), MachineDriver.failure(.store)],
    ] {
      var driver = MachineDriver()
      driver.send(.pod(.start))
      driver.current(.strayScopesGone(next: .queue), .turn(.init(handover: .queue)))
      for event in events { driver.current(event) }
      driver.current(.abandoned)
      #expect(driver.machine.lifecycle.lastEnd == .launchFailed(stage: .store, error: "EIO"))
      // Nothing is on record.
      #expect(!driver.ofGenerations.contains { if case .recordEnd = $0 { true } else { false } })
    }
  }

  @Test func aLaunchThatWasCancelledEndsForTheStopsReason() {
    var driver = MachineDriver()
    driver.send(.pod(.start))
    driver.current(
      .strayScopesGone(next: .queue), .turn(.init(handover: .queue)), .written(MachineDriver.unit(1)),
      .parked,
      .firewallOpened)
    driver.send(Self.stop)
    driver.current(MachineDriver.failure(.scope), .abandoned)
    #expect(driver.machine.lifecycle.state == .stopped)
    #expect(driver.ofGenerations.contains(.recordEnd(MachineDriver.unit(1), .operator, nil)))
    #expect(!driver.ofGenerations.contains { if case .reportLaunchFailure = $0 { true } else { false } })
  }

  @Test func whatWaitsForItsTurnIsStoppedAtOnce() {
    var driver = MachineDriver()
    driver.send(.pod(.start))
    driver.current(.strayScopesGone(next: .queue))
    let id = driver.machine.current?.id
    driver.send(Self.stop)
    #expect(driver.machine.lifecycle.state == .stopped && driver.machine.current == nil)
    #expect(driver.ofGenerations == [.dispose])
    if let id { driver.send(.generation(id, .turn(.init(handover: .queue)))) }
    #expect(driver.ofGenerations == [.endTurn])
  }

  @Test func readySaidBeforePoddKnowsThatItRunsCounts() {
    var driver = MachineDriver()
    driver.send(.pod(.start))
    driver.current(
      .strayScopesGone(next: .queue), .turn(.init(handover: .queue)), .written(MachineDriver.unit(1)),
      .parked,
      .firewallOpened, .scopeStarted, .limitsVerified, .ready)
    #expect(driver.machine.lifecycle.state == .starting)
    driver.current(.programRuns)
    #expect(driver.machine.lifecycle.state == .ready)
    #expect(
      driver.ofGenerations == [.watch, .recordStart, .endTurn, .recordReadiness(isAwaited: false), .serve])
  }

  @Test func onlyLaunchesThatNobodyAskedForAreRestarts() {
    var driver = MachineDriver.ready()
    for event in Self.ended(Self.crash) { driver.current(event) }
    driver.send(.pod(.backoffElapsed))
    driver.current(.strayScopesGone(next: .queue), .turn(.init(handover: .queue)))
    #expect(driver.ofGenerations.contains(.write(MachineDriver.unit(2), isRestart: true)))
    // As long as it is not on record.
    driver.current(MachineDriver.failure(.store), .parked, .abandoned)
    driver.send(.pod(.start))
    driver.current(.strayScopesGone(next: .queue), .turn(.init(handover: .queue)))
    #expect(driver.ofGenerations.contains(.write(MachineDriver.unit(2), isRestart: true)))
    driver.current(.written(MachineDriver.unit(2)), MachineDriver.failure(.spawn), .abandoned)
    driver.send(.pod(.start))
    driver.current(.strayScopesGone(next: .queue), .turn(.init(handover: .queue)))
    #expect(driver.ofGenerations.contains(.write(MachineDriver.unit(3), isRestart: false)))
  }

  @Test func withoutAPauseItIsLaunchedInTheSameTurn() {
    var driver = MachineDriver.ready()
    driver.policy.firstDelay = 0
    for event in Self.ended(Self.crash) { driver.current(event) }
    #expect(
      driver.machine.lifecycle.state == .starting && driver.machine.current?.phase == .waiting(.strayScopes))
    // Not after a launch that failed because of the host: no limit would end these launches.
    driver.current(.strayScopesGone(next: .queue), .turn(nil), .abandoned)
    #expect(driver.machine.lifecycle.lastEnd == .launchFailed(stage: .settings, error: "EINVAL"))
    #expect(
      driver.machine.lifecycle.state == .backoff && driver.effects.contains(.armBackoff(.milliseconds(100))))
  }

  // MARK: What podd finds at its start

  @Test func aPlaceThatIsTakenIsNotAdoptedInto() {
    var machine = MachineDriver(wanted: .run).machine
    func found(_ generation: Int) -> PodMachine.Found {
      PodMachine.Found(unit: MachineDriver.unit(generation), isReady: true, stop: nil, traits: nil)
    }
    #expect(machine.adopt(found(1), as: .other, now: 0) == nil)
    #expect(machine.adopt(found(2), as: .current, now: 0) != nil)
    #expect(machine.adopt(found(3), as: .current, now: 0) == nil)
    let adopted = machine.adopt(found(1), as: .other, now: 0)
    let asked = GenerationLife.StopRecord(cause: .unknownAdopted, isAsked: true)
    let effects: [GenerationLife.Effect] = [
      .watch, .recordStop(asked), .stopUnit(isHung: false), .watchConnections,
    ]
    #expect(adopted.map { adopted in adopted.effects == effects.map { .generation(adopted.id, $0) } } == true)
    #expect(machine.openUnits == [MachineDriver.unit(2), MachineDriver.unit(1)])
  }

  @Test func whatIsWantedAndDoesNotRunIsDueForLaunch() {
    for wanted in Lifecycle.Wanted.allCases {
      #expect(MachineDriver(wanted: wanted).machine.lifecycle.isDueForLaunch == (wanted == .run))
    }
    #expect(!MachineDriver(wanted: .run, startLimitHit: true).machine.lifecycle.isDueForLaunch)
    #expect(!MachineDriver.ready().machine.lifecycle.isDueForLaunch)
  }

  /// Else it would stay open when that one never begins.
  @Test func theFirewallIsClosedAlthoughAnotherGenerationWaitsForItsTurn() {
    var driver = MachineDriver.ready(.overlap)
    driver.send(.replace(.operator, next: .overlap))
    for event in Self.ended(Self.crash) { driver.current(event) }
    #expect(driver.ofGenerations.contains(.closeFirewall))
    driver.send(Self.stop)
    #expect(driver.machine.lifecycle.state == .stopped && driver.ofGenerations == [.dispose])
  }

  // MARK: What a main process leaves behind

  /// While a successor may take over, the pod is ready in spite of them.
  @Test func leftoversAreNotReadyOnceTheSuccessorIsGone() {
    var driver = MachineDriver.ready(.overlap)
    driver.send(.replace(.operator, next: .overlap))
    driver.launch(.other, .overlap)
    driver.current(.mainProcessEnded(mayBeInherited: false))
    driver.current(.evidence(MachineDriver.exit(Self.crash), scopeIsEmpty: false))
    #expect(driver.machine.lifecycle.state == .ready)
    for event in Self.ended(Self.crash) { driver.other(event) }
    #expect(driver.machine.lifecycle.state == .stopping)
    driver.current(.scopeEmpty)
    #expect(driver.machine.lifecycle.state == .backoff && driver.machine.lifecycle.lastEnd == .exited(1))
  }

  // MARK: The row

  @Test func nothingIsWrittenAboutAPodWhoseRowIsGone() {
    var driver = MachineDriver.ready()
    driver.send(.forget)
    driver.send(Self.stop)
    #expect(driver.machine.lifecycle.wanted == .stopped)
    #expect(!driver.effects.contains(.persist(.stopped)))
  }

  /// Somebody restarted it while its row was being deleted; the next pod may have its name.
  @Test func aPodWhoseRowIsGoneIsNotLaunchedAgain() {
    var driver = MachineDriver()
    driver.send(.pod(.start))
    driver.current(.strayScopesGone(next: nil), .turn(GenerationLife.Traits(handover: .queue)))
    driver.send(.forget)
    #expect(driver.ofGenerations == [.killParked] && !driver.effects.contains(.announce))
    // A rollout that waited for the pod tries again.
    driver.send(.replace(.operator, next: .queue))
    driver.send(.pod(.start))
    #expect(driver.effects == [])
    driver.current(MachineDriver.failure(.store), .parked, .abandoned)
    #expect(driver.machine.lifecycle.state == .cold && driver.machine.current == nil)
    #expect(driver.ofGenerations == [.endTurn, .dispose])
  }

  @Test(arguments: [
    (Lifecycle.Wanted.cold, PodState.cold, [PodMachine.Effect]()), (.stopped, .stopped, []),
  ])
  func aWishThatNobodyHasIsNotTakenBack(
    wanted: Lifecycle.Wanted, state: PodState, effects: [PodMachine.Effect]
  ) {
    var driver = MachineDriver(wanted: wanted)
    driver.send(.wishTakenBack)
    #expect(driver.machine.lifecycle.state == state && driver.effects == effects)
  }

  @Test func aWishIsTakenBackUnlessOthersHaveItToo() {
    var driver = MachineDriver(wanted: .run)
    driver.send(.wishTakenBack)
    #expect(driver.machine.lifecycle.wanted == .cold && driver.effects.contains(.persist(.cold)))
    driver = MachineDriver.ready()
    driver.send(.wishTakenBack)
    #expect(driver.machine.lifecycle.wanted == .run && driver.effects == [.persist(.run)])
  }
}
