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

  private func scope(_ unit: String, main: Bool = true, failed: Bool = false, populated: Bool = true)
    -> Reconcile.Scope
  {
    Reconcile.Scope(unit: unit, hasMainProcess: main, isFailed: failed, isPopulated: populated)
  }

  private func decide(_ rows: [Reconcile.Row], _ scopes: [Reconcile.Scope]) -> [Reconcile.Action] {
    Reconcile.decide(rows: rows, scopes: scopes, boot: "now")
  }

  @Test func whatRunsAndIsOnRecordIsTakenOver() {
    #expect(decide([row(1, 3)], [scope("pod-001-3.scope")]) == [.adopt(unit(1, 3))])
  }

  @Test func aLaunchThatPoddDidNotSeeThroughIsTakenOverToo() {
    #expect(decide([row(1, 1, boot: nil)], [scope("pod-001-1.scope")]) == [.adopt(unit(1, 1))])
  }

  @Test func whatIsOnRecordAndDoesNotRunHasEnded() {
    #expect(decide([row(1, 3)], []) == [.end(unit(1, 3))])
  }

  @Test func aReboot() {
    #expect(
      decide([row(2, 1, boot: "before"), row(1, 1, boot: nil)], []) == [.end(unit(1, 1)), .end(unit(2, 1))])
  }

  @Test func whatNobodyOwnsIsStopped() {
    for name in ["pod-009-1.scope", "pod-1.scope", "pod-001-01.scope"] {
      #expect(decide([row(1, 1)], [scope("pod-001-1.scope"), scope(name)]).last == .stop(name, owned: false))
    }
  }

  @Test func whatOutlivedItsMainProcessIsStoppedBeforeItsEndIsRecorded() {
    #expect(
      decide([row(1, 2)], [scope("pod-001-2.scope", main: false)])
        == [.stop("pod-001-2.scope", owned: true), .end(unit(1, 2))])
  }

  @Test func anEmptyFailedUnitIsForgotten() {
    #expect(
      decide([row(1, 2)], [scope("pod-001-2.scope", main: false, failed: true, populated: false)])
        == [.resetFailed("pod-001-2.scope"), .end(unit(1, 2))])
    #expect(
      decide([], [scope("pod-001-2.scope", main: false, failed: true)])
        == [.stop("pod-001-2.scope", owned: false)])
  }

  @Test func ofTwoTheOneServesThatWasReady() {
    let scopes = [scope("pod-001-9.scope"), scope("pod-001-10.scope")]
    #expect(
      decide([row(1, 9), row(1, 10, ready: false)], scopes) == [.adopt(unit(1, 9)), .relieve(unit(1, 10))])
    // Of three, none of which should be, one is stopped at once.
    #expect(
      decide([row(1, 8), row(1, 9), row(1, 10)], scopes + [scope("pod-001-8.scope")]) == [
        .adopt(unit(1, 10)), .relieve(unit(1, 9)), .stop("pod-001-8.scope", owned: true), .end(unit(1, 8)),
      ])
  }

  @Test func theNewestGenerationOfAPodIsThePod() {
    let scopes = [scope("pod-001-9.scope"), scope("pod-001-10.scope")]
    let expected: [Reconcile.Action] = [
      .adopt(unit(1, 10)), .relieve(unit(1, 9)),
    ]
    #expect(decide([row(1, 9), row(1, 10)], scopes) == expected)
    #expect(decide([row(1, 10), row(1, 9)], scopes.reversed()) == expected)
    // The older one, when the newer was never started.
    #expect(decide([row(1, 9), row(1, 10)], [scope("pod-001-9.scope")]).first == .adopt(unit(1, 9)))
  }

  @Test func aScopeThatIsListedTwiceIsDealtWithOnce() {
    let scopes = [scope("pod-002-1.scope"), scope("pod-002-1.scope")]
    #expect(decide([], scopes) == [.stop("pod-002-1.scope", owned: false)])
  }
}
