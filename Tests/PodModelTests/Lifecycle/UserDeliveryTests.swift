import PodModel
import Testing
import Time
import TimeLiterals

/// Who of a pod's programs is notified of its users, when, and when a caller may be told so.
@Suite struct UserDeliveryTests {
  typealias Reload = GenerationLife.Traits.Reload

  private func delivery(_ driver: MachineDriver, _ reach: PodMachine.Reach = .every) -> PodMachine.Delivery {
    driver.machine.delivery(of: driver.machine.users.revision, to: reach)
  }

  /// A change that has come as far as the users file.
  private func changed(_ driver: inout MachineDriver, _ reach: PodMachine.Reach = .every) {
    driver.send(.usersChanged(reach))
    written(&driver)
  }

  private func written(_ driver: inout MachineDriver, next: Lifecycle.Handover? = .queue) {
    driver.send(.usersWritten(driver.machine.users.revision, next: next))
  }

  private func read(_ driver: inout MachineDriver) {
    driver.current(.usersRead(driver.machine.users.revision))
  }

  // MARK: One that serves

  @Test(arguments: [Reload.signal, .command])
  func aProgramThatServesReadsTheFileAgain(_ reload: Reload) {
    var driver = MachineDriver.ready(reload: reload)
    driver.send(.usersChanged(.every))
    #expect(driver.effects == [.writeUsers(1)] && delivery(driver) == .underWay)
    driver.send(.usersWritten(1, next: .queue))
    #expect(driver.ofGenerations == [.reload(1)] && delivery(driver) == .underWay)
    read(&driver)
    #expect(driver.effects == [.recordUsers] && delivery(driver) == .done && !driver.machine.hasStaleUsers)
  }

  @Test func changesThatComeMeanwhileAreDeliveredTogetherAfterwards() {
    var driver = MachineDriver.ready(reload: .signal)
    driver.send(.usersChanged(.every))
    driver.send(.usersChanged(.every))
    driver.send(.usersChanged(.every))
    #expect(driver.effects == [])
    driver.send(.usersWritten(1, next: .queue))
    #expect(driver.ofGenerations == [.reload(1)])
    driver.current(.usersRead(1))
    #expect(driver.effects == [.writeUsers(3)])
    #expect(driver.machine.delivery(of: 1, to: .every) == .done && delivery(driver) == .underWay)
  }

  @Test func aPodThatDoesNotRunOnlyGetsTheFile() {
    var driver = MachineDriver()
    driver.send(.usersChanged(.every))
    #expect(driver.effects == [.writeUsers(1)] && delivery(driver) == .underWay)
    written(&driver)
    #expect(driver.effects == [] && delivery(driver) == .done)
  }

  @Test func aReportOfAGenerationThatHasEndedIsTheEndOfTheNotification() {
    var driver = MachineDriver.ready(reload: .signal)
    changed(&driver)
    let id = driver.machine.current?.id
    driver.current(
      .mainProcessEnded(mayBeInherited: false),
      .evidence(MachineDriver.exit(.exited(1)), scopeIsEmpty: true))
    #expect(delivery(driver) == .done)
    if let id { driver.send(.generation(id, .usersRead(1))) }
    driver.send(.usersChanged(.every))
    #expect(driver.effects == [.writeUsers(2)])
  }

  // MARK: One that does not serve yet

  @Test func aProgramThatMayHaveReadAnEarlierFileIsNotifiedAsSoonAsItServes() {
    var driver = MachineDriver()
    driver.send(.pod(.start))
    driver.launch(reload: .signal)
    changed(&driver)
    #expect(
      driver.effects == [] && delivery(driver, .serving) == .done && delivery(driver, .coming) == .underWay)
    driver.current(.ready)
    #expect(driver.effects.last == .writeUsers(1))
    written(&driver)
    read(&driver)
    #expect(delivery(driver) == .done)
  }

  @Test func aLaunchThatWaitsForItsTurnReadsTheUsersWhenItComes() {
    var driver = MachineDriver()
    driver.send(.pod(.start))
    changed(&driver)
    #expect(delivery(driver) == .done)
    driver.launch()
    driver.current(.ready)
    #expect(!driver.effects.contains(.writeUsers(1)) && delivery(driver) == .done)
  }

  @Test func aSuccessorIsNotifiedWhenItHasTakenOver() {
    var driver = MachineDriver.ready(.overlap, reload: .signal)
    driver.send(.replace(.operator, next: .overlap))
    driver.launch(.other, .overlap, reload: .signal)
    changed(&driver)
    read(&driver)
    #expect(delivery(driver, .serving) == .done && delivery(driver, .coming) == .underWay)
    driver.other(.ready, .readinessRecorded)
    #expect(driver.effects.last == .writeUsers(1))
    written(&driver)
    read(&driver)
    #expect(delivery(driver) == .done)
  }

  // MARK: A frozen one

  private static func frozen(_ reload: Reload = .signal) -> MachineDriver {
    var driver = MachineDriver.ready(reload: reload)
    driver.send(.pod(.freeze))
    driver.current(.frozen)
    return driver
  }

  @Test func aFrozenPodIsThawedNotifiedAndFrozenAgain() {
    var driver = Self.frozen()
    driver.send(.usersChanged(.every))
    #expect(driver.effects == [.writeUsers(1)])
    written(&driver)
    #expect(driver.ofGenerations == [.signalReload] && driver.effects.last == .thawForUsers)
    #expect(delivery(driver) == .underWay)
    driver.current(.thawed)
    #expect(driver.effects.last == .writeUsers(1))
    written(&driver)
    read(&driver)
    #expect(driver.effects.contains(.freezeAgain) && delivery(driver) == .done)
  }

  @Test func aPodThatSomebodyWantsMeanwhileIsNotFrozenAgain() {
    var driver = Self.frozen()
    changed(&driver)
    driver.send(.pod(.start))
    driver.current(.thawed)
    written(&driver)
    read(&driver)
    #expect(!driver.effects.contains(.freezeAgain) && delivery(driver) == .done)
  }

  @Test func aPodThatCannotBeThawedIsAnError() {
    var driver = Self.frozen()
    changed(&driver)
    driver.send(.thawFailed)
    #expect(driver.effects == [.usersFailed(.frozen, retryAfter: .seconds(1))] && delivery(driver) == .failed)
  }

  @Test func aNewUserOfAFrozenPodIsSaidToItsProgramWhenItIsThawed() {
    var driver = Self.frozen()
    changed(&driver, .serving)
    #expect(driver.effects == [] && delivery(driver, .serving) == .done)
    driver.send(.pod(.start))
    #expect(driver.ofGenerations == [.signalReload, .thaw])
    driver.current(.thawed)
    #expect(driver.effects.last == .writeUsers(1))
  }

  // MARK: One that is ending

  @Test func aPredecessorIsSignalled() {
    var driver = MachineDriver.ready(.overlap, reload: .signal)
    driver.send(.replace(.operator, next: .overlap))
    driver.launch(.other, .overlap, reload: .signal)
    driver.other(.ready, .readinessRecorded)
    changed(&driver)
    #expect(driver.effects(of: driver.machine.other?.id) == [.signalReload])
    #expect(driver.effects(of: driver.machine.current?.id) == [.reload(1)])
    read(&driver)
    #expect(delivery(driver) == .done)
  }

  @Test(arguments: [Reload.command, .restart])
  func aWithdrawalWaitsForOneThatCannotBeSignalled(_ reload: Reload) {
    var driver = MachineDriver.ready(.drain, reload: reload)
    driver.send(.stopGracefully(.operator, then: .stopped))
    changed(&driver)
    #expect(driver.effects == [] && delivery(driver) == .underWay && delivery(driver, .coming) == .done)
    driver.current(.drained, .mainProcessEnded(mayBeInherited: false))
    #expect(delivery(driver) == .underWay)
    driver.current(.evidence(MachineDriver.exit(.signal("TERM")), scopeIsEmpty: true))
    #expect(delivery(driver) == .done)
  }

  // MARK: Failures

  @Test func aTryThatFailedIsRepeatedAfterGrowingPauses() {
    var driver = MachineDriver.ready(reload: .signal)
    driver.send(.usersChanged(.every))
    for pause in [Microseconds.seconds(1), .seconds(2), .seconds(4)] {
      driver.send(.usersNotWritten(1))
      #expect(driver.effects == [.usersFailed(.notWritten, retryAfter: pause)] && delivery(driver) == .failed)
      driver.send(.retryUsers)
      #expect(driver.effects == [.writeUsers(1)])
    }
    // A change is tried at once.
    driver.send(.usersNotWritten(1))
    driver.send(.usersChanged(.every))
    #expect(driver.effects == [.writeUsers(2)] && delivery(driver) == .underWay)
    written(&driver)
    read(&driver)
    #expect(delivery(driver) == .done)
  }

  @Test func aFailureDoesNotHoldUpWhatCameLater() {
    var driver = MachineDriver.ready(reload: .signal)
    driver.send(.usersChanged(.every))
    driver.send(.usersChanged(.every))
    driver.send(.usersNotWritten(1))
    #expect(driver.effects == [.usersFailed(.notWritten, retryAfter: nil), .writeUsers(2)])
    #expect(driver.machine.delivery(of: 1, to: .every) == .failed && delivery(driver) == .underWay)
  }

  @Test func withoutAProgramAFileThatCannotBeWrittenIsNoError() {
    var driver = MachineDriver()
    driver.send(.usersChanged(.every))
    driver.send(.usersNotWritten(1))
    #expect(delivery(driver) == .done)
    driver.send(.retryUsers)
    #expect(driver.effects == [])
  }

  // MARK: By a restart

  @Test func aProgramThatCannotReadTheFileAgainIsRestarted() {
    var driver = MachineDriver.ready(.overlap)
    driver.send(.usersChanged(.every))
    written(&driver, next: .overlap)
    #expect(driver.ofGenerations == [.awaitStrayScopes] && delivery(driver, .serving) == .underWay)
    driver.launch(.other, .overlap)
    driver.other(.ready, .readinessRecorded)
    #expect(delivery(driver, .coming) == .done && delivery(driver) == .underWay)
    driver.other(
      .mainProcessEnded(mayBeInherited: false), .evidence(MachineDriver.exit(.exited(0)), scopeIsEmpty: true))
    #expect(driver.effects.contains(.recordUsers) && delivery(driver) == .done)
  }

  @Test func aCommandThatFailsLeadsToARestart() {
    var driver = MachineDriver.ready(reload: .command)
    changed(&driver)
    driver.current(.usersNotRead(next: .queue))
    #expect(driver.machine.lifecycle.state == .stopping && delivery(driver) == .underWay)
  }

  @Test func aSuccessorThatDoesNotComeIsAnErrorAndTriedAgainLater() {
    var driver = MachineDriver.ready(.overlap)
    driver.send(.usersChanged(.every))
    written(&driver, next: .overlap)
    driver.other(.strayScopesGone(next: .overlap), .turn(nil))
    driver.other(.abandoned)
    let reason = EndReason.launchFailed(stage: .settings, error: "EINVAL")
    #expect(driver.effects.contains(.usersFailed(.restart(reason), retryAfter: .seconds(1))))
    #expect(driver.machine.lifecycle.state == .ready && delivery(driver) == .failed)
    driver.send(.retryUsers)
    #expect(driver.effects == [.writeUsers(1)])
  }

  @Test func settingsThatDoNotParseStopNothing() {
    var driver = MachineDriver.ready()
    driver.send(.usersChanged(.every))
    written(&driver, next: nil)
    #expect(driver.effects == [.usersFailed(.settings, retryAfter: .seconds(1))])
    #expect(driver.machine.lifecycle.state == .ready && delivery(driver) == .failed)
  }

  // MARK: After podd's end

  private static func adopted() -> MachineDriver {
    var driver = MachineDriver(wanted: .run)
    let traits = GenerationLife.Traits(handover: .queue, reload: .signal)
    let found = PodMachine.Found(unit: MachineDriver.unit(1), isReady: true, stop: nil, traits: traits)
    _ = driver.machine.adopt(found, as: .current, now: driver.now)
    return driver
  }

  @Test func whatIsNotKnownYetIsNeitherConfirmedNorDelivered() {
    var driver = Self.adopted()
    driver.send(.resume)
    #expect(driver.effects == [] && driver.machine.hasStaleUsers && delivery(driver) == .underWay)
    driver.send(.usersChecked(0, isKnown: true))
    #expect(driver.effects == [] && !driver.machine.hasStaleUsers && delivery(driver) == .done)
  }

  @Test func aProgramThatMayKnowOthersIsNotifiedAgain() {
    var driver = Self.adopted()
    driver.send(.usersChecked(0, isKnown: false))
    #expect(driver.effects == [.writeUsers(0)] && delivery(driver) == .underWay)
    written(&driver)
    read(&driver)
    #expect(driver.effects == [.recordUsers] && delivery(driver) == .done)
  }

  @Test func whatWasCheckedBeforeAChangeDoesNotCount() {
    var driver = Self.adopted()
    driver.send(.usersChanged(.every))
    driver.send(.usersChecked(0, isKnown: true))
    #expect(driver.machine.hasStaleUsers)
    written(&driver)
    #expect(driver.ofGenerations == [.reload(1)])
  }
}
