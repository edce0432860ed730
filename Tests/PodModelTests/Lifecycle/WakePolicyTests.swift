import PodModel
import Testing
import Time

@Suite struct WakePolicyTests {
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

  @Test func `a connection that waits for a pod that is being launched is kept by the next podd`() {
    #expect(WakePolicy.closed.adopted(in: .starting) == .keeps)
    for state in PodState.allCases where state != .starting {
      #expect(WakePolicy.closed.adopted(in: state) == .closed)
    }
    #expect(WakePolicy.wakes.adopted(in: .starting) == .wakes)
  }

  @Test(
    arguments: [
      (.startTimeout, 0, true), (.launchFailed(stage: .store, error: "EIO"), 0, true),
      (.launchFailed(stage: .scope, error: "EIO"), 1, false),
      (.launchFailed(stage: .scope, error: "EIO"), 2, true),
      (.exited(1), 60, false), (.health, 60, false), (.oomBystander, 60, false),
    ] as [(EndReason, UInt64, Bool)])
  func `after a start timeout or in a lasting fault of the host, connections wait no longer`(
    end: EndReason, seconds: UInt64, refuses: Bool
  ) {
    let pause = Microseconds.seconds(seconds)
    #expect(WakePolicy.refusesWaiting(.backoff, lastEnd: end, pause: pause) == refuses)
    for state in PodState.allCases where state != .backoff {
      #expect(!WakePolicy.refusesWaiting(state, lastEnd: end, pause: pause))
    }
    #expect(!WakePolicy.refusesWaiting(.backoff, lastEnd: nil, pause: pause))
  }
}
