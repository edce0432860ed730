import PodModel
import Testing

/// Two generations of one pod, and connections that are held off while there is none.
@Suite struct LifecycleHandoverTests {
  static let crash = EndReason.signal("SEGV")

  @Test func aSuccessorTakesOverBeforeTheFirstIsStopped() {
    var driver = LifecycleDriver(.start, .ready, .restart(.operator, .overlap))
    #expect(driver.pod.state == .ready)
    #expect(driver.effects.contains(.launchSuccessor))
    #expect(!driver.effects.contains(.stopScope))
    driver.send(.ready(of: .other))
    #expect(driver.effects.contains(.promote))
    #expect(driver.effects.contains(.stopOther))
    #expect(driver.effects.contains(.resolveReady))
    driver.send(.ended(.exited(0), of: .other))
    #expect(driver.effects == [.recordOtherEnd(.operator)])
    #expect(driver.pod.lastEnd == .operator)
    #expect(driver.pod.state == .ready)
  }

  @Test func aSuccessorThatFailsLeavesTheFirstAlone() {
    var driver = LifecycleDriver(.start, .ready, .restart(.operator, .overlap))
    let reason = EndReason.launchFailed(stage: .exec, error: "ENOENT")
    driver.send(.ended(reason, of: .other))
    #expect(driver.pod.state == .ready)
    #expect(driver.pod.other == nil)
    #expect(driver.effects.contains(.resolveFailed(reason)))
    #expect(!driver.effects.contains(.stopScope))
  }

  @Test func aSuccessorThatIsTooSlowIsTakenAway() {
    var driver = LifecycleDriver(.start, .ready, .restart(.operator, .overlap), .startTimeout(of: .other))
    #expect(driver.effects == [.stopOther, .resolveFailed(.startTimeout)])
    driver.send(.ready(of: .other))
    #expect(driver.effects.isEmpty)
    driver.send(.ended(.signal("TERM"), of: .other))
    #expect(driver.effects == [.recordOtherEnd(.startTimeout), .announce])
    #expect(driver.pod.state == .ready)
  }

  @Test func theFirstMayDieWhileItsSuccessorComes() {
    var driver = LifecycleDriver(.start, .ready, .restart(.operator, .overlap), .ended(Self.crash))
    #expect(driver.pod.state == .starting)
    #expect(driver.effects == [.recordEnd(Self.crash), .promote, .announce])
    driver.send(.ready)
    #expect(driver.pod.state == .ready)
    #expect(driver.effects.contains(.resolveReady))
  }

  /// Another program may freeze the pod while the restart waits for the predecessor's end.
  @Test(arguments: [(Lifecycle.Handover.queue, PodState.stopping), (.drain, .draining)])
  func aRestartThatWaitsComesAlthoughThePodIsFrozen(handover: Lifecycle.Handover, state: PodState) {
    var driver = LifecycleDriver(.start, .ready, .restart(.operator, .overlap), .ready(of: .other))
    driver.send(.restart(.operator, handover))
    driver.send(.frozen)
    #expect(driver.pod.state == .frozen)
    driver.send(.ended(.exited(0), of: .other))
    #expect(driver.pod.state == state && driver.effects.contains(.thawScope))
    #expect(!driver.effects.contains(.resolveFailed(.operator)))
  }

  @Test func aRestartThatWaitsIsNotAnsweredForTheOneBefore() {
    var driver = LifecycleDriver(.start, .ready, .restart(.operator, .overlap), .startTimeout(of: .other))
    driver.send(.restart(.operator, .overlap))
    driver.send(.ended(.signal("TERM"), of: .other))
    #expect(driver.effects == [.recordOtherEnd(.startTimeout), .announce, .announce, .launchSuccessor])
    driver.send(.ready(of: .other))
    #expect(driver.effects.contains(.resolveReady))
  }

  @Test func neverThreeAtOnce() {
    var driver = LifecycleDriver(.start, .ready, .restart(.operator, .overlap), .ready(of: .other))
    driver.send(.restart(.leak, .overlap))
    #expect(driver.effects.isEmpty)
    driver.send(.ended(.exited(0), of: .other))
    #expect(driver.effects.contains(.launchSuccessor))
    #expect(driver.pod.other == .successor(.leak))
  }

  @Test func whoWaitsForAQueuedRestartHearsOfAStop() {
    var driver = LifecycleDriver(.start, .ready, .restart(.operator, .overlap), .ready(of: .other))
    driver.send(.restart(.operator, .overlap))
    driver.send(.stop(.operator, then: .stopped))
    #expect(driver.effects.contains(.resolveFailed(.operator)))
    driver.send(.ended(.exited(0), of: .other))
    #expect(!driver.effects.contains(.launchSuccessor))
  }

  @Test func aStopWaitsForBoth() {
    for order in [[0, 1], [1, 0]] {
      var driver = LifecycleDriver(.start, .ready, .restart(.operator, .overlap), .ready(of: .other))
      driver.send(.stop(.operator, then: .stopped))
      let ends: [Lifecycle.Event] = [.ended(.exited(0)), .ended(.exited(0), of: .other)]
      driver.send(ends[order[0]])
      #expect(driver.pod.state == .stopping)
      driver.send(ends[order[1]])
      #expect(driver.pod.state == .stopped)
    }
  }

  @Test func aCrashDoesNotWaitForThePredecessor() {
    var driver = LifecycleDriver(.start, .ready, .restart(.operator, .overlap), .ready(of: .other))
    driver.send(.ended(Self.crash))
    #expect(driver.pod.state == .backoff)
    driver.send(.ended(.exited(0), of: .other))
    #expect(driver.effects == [.recordOtherEnd(.operator)])
    #expect(driver.pod.state == .backoff)
    #expect(driver.pod.lastEnd == Self.crash)
  }

  @Test func connectionsAreHeldOffUntilTheNextGenerationServes() {
    var driver = LifecycleDriver(.start, .ready, .restart(.operator, .drain))
    #expect(driver.pod.state == .draining)
    #expect(driver.effects.contains(.drain))
    driver.send(.drained)
    #expect(driver.effects.contains(.stopScope))
    driver.send(.ended(.exited(0)))
    #expect(!driver.effects.contains(.release))
    driver.send(.ready)
    #expect(driver.effects.last == .release)
  }

  @Test(arguments: [
    [Lifecycle.Event.drained, .ended(.exited(0)), .ended(.exited(1))],
    [.stop(.operator, then: .stopped), .drained, .ended(.exited(0))],
    [.stop(.idle, then: .cold), .ended(.exited(0))],
  ])
  func connectionsAreLetGoWhenNobodyWillServe(events: [Lifecycle.Event]) {
    var driver = LifecycleDriver(.start, .ready, .restart(.operator, .drain))
    for event in events { driver.send(event) }
    #expect(!driver.pod.state.hasScope)
    #expect(driver.effects.last == .release)
  }

  @Test func whatDiesWhileItDrainsDiedOfItself() {
    let driver = LifecycleDriver(.start, .ready, .restart(.operator, .drain), .ended(Self.crash))
    #expect(driver.effects.contains(.recordEnd(Self.crash)))
    #expect(driver.pod.state == .starting)
  }

  @Test func aHungPodIsStoppedAndCountsAsDead() {
    var driver = LifecycleDriver(.start, .ready, .failed(.health))
    #expect(driver.effects.contains(.stopScope))
    driver.send(.ended(.signal("KILL")))
    #expect(driver.pod.lastEnd == .health)
    #expect(driver.pod.state == .backoff)
  }

  @Test func aFrozenPodIsThawedBeforeItIsStopped() {
    let driver = LifecycleDriver(.start, .ready, .frozen, .stop(.operator, then: .stopped))
    #expect(driver.effects.first == .thawScope)
    #expect(driver.effects.contains(.stopScope))
  }

  @Test func aFullDiskIsNoCrashLoop() {
    var driver = LifecycleDriver(.start)
    for _ in 0..<50 {
      driver.send(.launchFailed(.launchFailed(stage: .store, error: "EIO")))
      #expect(driver.pod.state == .backoff)
      driver.send(.backoffElapsed)
    }
    #expect(driver.pod.state == .starting)
  }
}
