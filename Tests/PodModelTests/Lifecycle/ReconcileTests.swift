import PodModel
import Testing

@Suite struct ReconcileTests {
  private func unit(_ pod: Int, _ generation: Int) -> UnitName {
    UnitName(pod: PodName(number: pod), generation: generation)
  }

  private func row(_ pod: Int, _ generation: Int, boot: String? = "now", ready: Bool = true) -> Reconcile.Row
  {
    Reconcile.Row(unit: unit(pod, generation), bootID: boot, isReady: ready)
  }

  private func scope(_ unit: UnitName, main: Bool = true, failed: Bool = false, populated: Bool = true)
    -> Reconcile.Scope
  {
    Reconcile.Scope(unit: unit, hasMainProcess: main, isFailed: failed, isPopulated: populated)
  }

  private func decide(_ rows: [Reconcile.Row], _ scopes: [Reconcile.Scope]) -> [Reconcile.Action] {
    Reconcile.decide(rows: rows, scopes: scopes, boot: "now")
  }

  @Test func whatRunsAndIsOnRecordIsTakenOver() {
    #expect(decide([row(1, 3)], [scope(unit(1, 3))]) == [.adopt(unit(1, 3))])
  }

  @Test func aLaunchThatPoddDidNotSeeThroughIsTakenOverToo() {
    #expect(decide([row(1, 1, boot: nil)], [scope(unit(1, 1))]) == [.adopt(unit(1, 1))])
  }

  @Test func whatIsOnRecordAndDoesNotRunHasEnded() {
    #expect(decide([row(1, 3)], []) == [.end(unit(1, 3))])
  }

  @Test func aReboot() {
    #expect(
      decide([row(2, 1, boot: "before"), row(1, 1, boot: nil)], []) == [.end(unit(1, 1)), .end(unit(2, 1))])
  }

  @Test func whatNobodyOwnsIsStopped() {
    for name in [unit(9, 1), unit(1, 2)] {
      #expect(decide([row(1, 1)], [scope(unit(1, 1)), scope(name)]).last == .stop(name, owned: false))
    }
  }

  @Test func whatOutlivedItsMainProcessIsStoppedBeforeItsEndIsRecorded() {
    #expect(
      decide([row(1, 2)], [scope(unit(1, 2), main: false)])
        == [.stop(unit(1, 2), owned: true), .end(unit(1, 2))])
  }

  @Test func anEmptyFailedUnitIsForgotten() {
    #expect(
      decide([row(1, 2)], [scope(unit(1, 2), main: false, failed: true, populated: false)])
        == [.resetFailed(unit(1, 2)), .end(unit(1, 2))])
    #expect(
      decide([], [scope(unit(1, 2), main: false, failed: true)])
        == [.stop(unit(1, 2), owned: false)])
  }

  @Test func ofTwoTheOneServesThatWasReady() {
    let scopes = [scope(unit(1, 9)), scope(unit(1, 10))]
    #expect(
      decide([row(1, 9), row(1, 10, ready: false)], scopes) == [.adopt(unit(1, 9)), .relieve(unit(1, 10))])
    // Of three, none of which should be, one is stopped at once.
    #expect(
      decide([row(1, 8), row(1, 9), row(1, 10)], scopes + [scope(unit(1, 8))]) == [
        .adopt(unit(1, 10)), .relieve(unit(1, 9)), .stop(unit(1, 8), owned: true), .end(unit(1, 8)),
      ])
  }

  @Test func theNewestGenerationOfAPodIsThePod() {
    let scopes = [scope(unit(1, 9)), scope(unit(1, 10))]
    let expected: [Reconcile.Action] = [
      .adopt(unit(1, 10)), .relieve(unit(1, 9)),
    ]
    #expect(decide([row(1, 9), row(1, 10)], scopes) == expected)
    #expect(decide([row(1, 10), row(1, 9)], scopes.reversed()) == expected)
    // The older one, when the newer was never started.
    #expect(decide([row(1, 9), row(1, 10)], [scope(unit(1, 9))]).first == .adopt(unit(1, 9)))
  }

  @Test func aScopeThatIsListedTwiceIsDealtWithOnce() {
    let scopes = [scope(unit(2, 1)), scope(unit(2, 1))]
    #expect(decide([], scopes) == [.stop(unit(2, 1), owned: false)])
  }
}
