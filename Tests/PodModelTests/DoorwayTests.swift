import PodModel
import Testing

@Suite struct DoorwayTests {
  @Test func aColdPodIsWokenForWhoConnects() {
    #expect(Doorway.closed.next(.cold, users: 1) == .wakes)
    #expect(Doorway.closed.next(.frozen, users: 1) == .wakes)
  }

  @Test func aPodThatNobodyBelongsToRefuses() {
    #expect(Doorway.wakes.next(.cold, users: 0) == .closed)
    #expect(!Doorway.closed.needsSocket(.cold))
  }

  @Test(arguments: [PodState.stopped, .crashLoop])
  func whatSomebodyStoppedOrCannotRunRefuses(_ state: PodState) {
    #expect(Doorway.wakes.next(state, users: 3) == .closed)
    #expect(!Doorway.closed.needsSocket(state))
  }

  @Test func whoWokeItWaitsUntilItServes() {
    let starting = Doorway.wakes.next(.starting, users: 1)
    #expect(starting == .keeps)
    #expect(starting.next(.ready, users: 1) == .closed)
    // Its program has the socket by then.
    #expect(Doorway.closed.needsSocket(.ready))
  }

  @Test func aStartThatNobodyAskedForAtTheDoorKeepsNobody() {
    #expect(Doorway.closed.next(.starting, users: 1) == .closed)
  }

  @Test func aPodThatDoesNotComeLetsNobodyWaitAndIsNotWokenAgain() {
    #expect(Doorway.keeps.next(.backoff, users: 1) == .closed)
  }
}
