import PodModel
import Testing

@Suite struct DoorwayTests {
  @Test func aColdPodIsWokenForWhoConnects() {
    #expect(WakePolicy.closed.next(.cold, users: 1) == .wakes)
    #expect(WakePolicy.closed.next(.frozen, users: 1) == .wakes)
  }

  @Test func aPodThatNobodyBelongsToRefuses() {
    #expect(WakePolicy.wakes.next(.cold, users: 0) == .closed)
    #expect(!WakePolicy.closed.needsSocket(.cold))
  }

  @Test(arguments: [PodState.stopped, .crashLoop])
  func whatSomebodyStoppedOrCannotRunRefuses(_ state: PodState) {
    #expect(WakePolicy.wakes.next(state, users: 3) == .closed)
    #expect(!WakePolicy.closed.needsSocket(state))
  }

  @Test func whoWokeItWaitsUntilItServes() {
    let starting = WakePolicy.wakes.next(.starting, users: 1)
    #expect(starting == .keeps)
    #expect(starting.next(.ready, users: 1) == .closed)
    // Its program has the socket by then.
    #expect(WakePolicy.closed.needsSocket(.ready))
  }

  @Test func aStartThatNobodyAskedForAtTheDoorKeepsNobody() {
    #expect(WakePolicy.closed.next(.starting, users: 1) == .closed)
  }

  @Test func aPodThatDoesNotComeLetsNobodyWaitAndIsNotWokenAgain() {
    #expect(WakePolicy.keeps.next(.backoff, users: 1) == .closed)
  }
}
