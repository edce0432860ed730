import PodModel
import Testing
import Time
import TimeLiterals

/// How a pod comes back: backoff, crash loop, and stops and starts that meet.
@Suite struct LifecycleRestartTests {
  static let crash = EndReason.signal("SEGV")
  static let minute = Microseconds.minutes(1)

  /// A pod that never gets into a crash loop, so that its delays can be watched.
  private func patient() -> LifecycleDriver {
    var driver = LifecycleDriver(.start, .ready)
    driver.policy.burst = .max
    return driver
  }

  // MARK: Backoff

  @Test func theDelayDoublesUpToItsMaximum() {
    var driver = patient()
    driver.policy.maxDelay = .seconds(1)
    var delays: [Microseconds] = []
    for _ in 0..<6 {
      driver.send(.ended(Self.crash))
      delays.append(driver.backoff ?? 0)
      driver.send(.backoffElapsed)
      driver.send(.ready)
    }
    #expect(delays == [100, 200, 400, 800, 1000, 1000].map { Microseconds.milliseconds($0) })
  }

  @Test func hugeDelaysDoNotOverflow() {
    var driver = patient()
    driver.policy.firstDelay = Microseconds(1 << 40)
    driver.policy.maxDelay = Microseconds(1 << 62)
    for _ in 0..<64 {
      driver.send(.ended(Self.crash))
      #expect(driver.backoff ?? 0 <= Microseconds(1 << 62))
      driver.send(.backoffElapsed)
    }
  }

  @Test(arguments: [
    (0.0, 100_000), (0.5, 112_500), (0.999, 124_975), (1.0, 125_000), (7.0, 125_000), (-1, 100_000),
  ])
  func jitterAddsAtMostAQuarter(random: Double, delay: Microseconds) {
    var driver = LifecycleDriver(.start)
    driver.random = random
    driver.send(.ended(Self.crash))
    #expect(driver.backoff == delay)
  }

  @Test func aFailedLaunchBacksOffLikeACrash() {
    var driver = LifecycleDriver(.start)
    let reason = EndReason.launchFailed(stage: .exec, error: "ENOENT")
    driver.send(.launchFailed(reason))
    #expect(driver.pod.state == .backoff)
    #expect(driver.pod.lastEnd == reason)
    #expect(driver.effects.contains(.resolveFailed(reason)))
  }

  @Test func onlyRestartsThatNobodyAskedForAreCounted() {
    var driver = patient()
    driver.send(.restart(.operator, .queue))
    driver.send(.ended(.exited(0)))
    driver.send(.ready)
    #expect(driver.pod.restarts == 0)
    driver.send(.ended(Self.crash))
    driver.send(.start)
    #expect(driver.pod.restarts == 0)
    driver.send(.ended(Self.crash))
    driver.send(.backoffElapsed)
    #expect(driver.pod.restarts == 1)
  }

  // MARK: Crash loop

  @Test func fiveEndsWithinAMinuteAreACrashLoop() {
    var driver = LifecycleDriver(.start)
    for _ in 0..<4 {
      driver.send(.ended(Self.crash), after: Self.minute / 5)
      #expect(driver.pod.state == .backoff)
      driver.send(.backoffElapsed)
    }
    driver.send(.ended(Self.crash))
    #expect(driver.pod.state == .crashLoop)
    #expect(driver.effects.contains(.recordStartLimitHit(true)))
    #expect(driver.effects.contains(.resolveFailed(Self.crash)))
    #expect(driver.backoff == nil)
  }

  @Test func endsThatAreFartherApartAreNone() {
    var driver = LifecycleDriver(.start)
    for _ in 0..<50 {
      driver.send(.ended(Self.crash), after: Self.minute / 4)
      #expect(driver.pod.state == .backoff)
      driver.send(.backoffElapsed)
    }
  }

  @Test func aGenerationThatWasReadyLongEnoughStartsAfresh() {
    var driver = LifecycleDriver(.start, .ready)
    for _ in 0..<3 {
      driver.send(.ended(Self.crash))
      driver.send(.backoffElapsed)
      driver.send(.ready)
    }
    driver.send(.ended(Self.crash), after: driver.policy.stableAfter)
    #expect(driver.backoff == .milliseconds(100))
    // One short of stable: the delay goes on growing.
    driver.send(.backoffElapsed)
    driver.send(.ready)
    driver.send(.ended(Self.crash), after: driver.policy.stableAfter - 1)
    #expect(driver.backoff == .milliseconds(200))
  }

  @Test func onlyAPersonEndsACrashLoop() {
    var driver = LifecycleDriver(wanted: .run, startLimitHit: true)
    for event in [Lifecycle.Event.start, .ready, .ended(Self.crash), .startTimeout, .backoffElapsed] {
      driver.send(event)
      #expect(driver.pod.state == .crashLoop)
      #expect(driver.effects.isEmpty)
    }
    driver.send(.reset)
    #expect(driver.pod.state == .starting)
    driver.send(.ended(Self.crash))
    #expect(driver.backoff == .milliseconds(100))
  }

  @Test func aStopEndsTheHoldToo() {
    var driver = LifecycleDriver(wanted: .run, startLimitHit: true)
    driver.send(.stop(.operator, then: .cold))
    #expect(driver.pod.state == .cold)
    #expect(driver.effects.contains(.recordStartLimitHit(false)))
  }

  // MARK: Faults of the host

  /// At every stage that says nothing about the program, for hours: never a hold, and soon back when the host is.
  @Test(arguments: LaunchStage.allCases.filter { !$0.reachesProgram })
  func aFaultOfTheHostNeverLeadsToAHold(stage: LaunchStage) {
    var driver = LifecycleDriver(.start)
    driver.random = 1
    let reason = EndReason.launchFailed(stage: stage, error: "EIO")
    for _ in 0..<200 {
      driver.send(.launchFailed(reason))
      #expect(driver.pod.state == .backoff && driver.pod.lastEnd == reason)
      #expect(driver.backoff ?? 0 <= .seconds(20))
      driver.send(.backoffElapsed)
    }
    driver.send(.ready)
    #expect(driver.pod.state == .ready)
    // It has left no mark: the next fault begins with the first pause, and so does a crash.
    driver.random = 0
    driver.send(.ended(Self.crash))
    #expect(driver.backoff == .milliseconds(100))
    driver.send(.backoffElapsed)
    driver.send(.launchFailed(reason))
    #expect(driver.backoff == .milliseconds(100))
  }

  @Test func whatTheHostTakesForItsOwnMemoryIsNoCrashLoopEither() {
    for reason in [EndReason.oomBystander, .oomd, .launchFailed(stage: .exec, error: "ENOMEM")] {
      var driver = LifecycleDriver(.start)
      for _ in 0..<50 {
        driver.send(.ended(reason))
        #expect(driver.pod.state == .backoff, "\(reason)")
        driver.send(.backoffElapsed)
      }
    }
  }

  /// No limit ends these launches, so they must not follow each other without a pause.
  @Test func aFaultOfTheHostHasAPauseAlsoWithRestartSecZero() {
    for reason in [EndReason.oomBystander, .launchFailed(stage: .settings, error: "EINVAL")] {
      var driver = LifecycleDriver(.start)
      driver.policy.firstDelay = 0
      for _ in 0..<3 {
        driver.send(.launchFailed(reason))
        #expect(driver.backoff ?? 0 >= .milliseconds(100), "\(reason)")
        driver.send(.backoffElapsed)
      }
    }
  }

  @Test func ownEndsBetweenFaultsOfTheHostCount() {
    var driver = LifecycleDriver(.start)
    driver.policy.burst = 2
    driver.send(.ended(Self.crash))
    driver.send(.backoffElapsed)
    driver.send(.launchFailed(.launchFailed(stage: .journal, error: "ECONNREFUSED")))
    #expect(driver.pod.state == .backoff)
    driver.send(.backoffElapsed)
    driver.send(.ended(Self.crash))
    #expect(driver.pod.state == .crashLoop)
  }

  // MARK: Stops and starts that meet

  @Test func aStopDuringTheStartTellsThoseWhoWait() {
    var driver = LifecycleDriver(.start)
    driver.send(.stop(.operator, then: .stopped))
    #expect(driver.effects.contains(.resolveFailed(.operator)))
    driver.send(.ready)
    #expect(driver.pod.state == .stopping)
    driver.send(.launchFailed(.launchFailed(stage: .release, error: "EPIPE")))
    #expect(driver.pod.state == .stopped)
    #expect(driver.pod.lastEnd == .operator)
  }

  @Test func aRestartDuringAStopLaunchesAgain() {
    var driver = LifecycleDriver(.start, .ready, .stop(.operator, then: .stopped))
    driver.send(.restart(.operator, .queue))
    #expect(driver.effects == [.persist(.run)])
    driver.send(.ended(.signal("TERM")))
    #expect(driver.pod.state == .starting)
    #expect(driver.pod.wanted == .run)
    #expect(driver.effects.contains(.recordEnd(.operator)))
    #expect(driver.effects.contains(.launch))
  }

  @Test func theLastWishWins() {
    var driver = LifecycleDriver(.start, .ready, .restart(.operator, .queue))
    driver.send(.stop(.idle, then: .cold))
    driver.send(.start)
    driver.send(.stop(.operator, then: .stopped))
    driver.send(.ended(.exited(0)))
    #expect(driver.pod.state == .stopped)
    #expect(driver.pod.wanted == .stopped)
    #expect(driver.pod.lastEnd == .operator)
  }

  @Test func aStartTimeoutCountsAsAnEnd() {
    var driver = LifecycleDriver(.start)
    for _ in 0..<5 {
      driver.send(.startTimeout)
      #expect(driver.pod.state == .stopping)
      driver.send(.ended(.signal("KILL")))
      #expect(driver.pod.lastEnd == .startTimeout)
      driver.send(.backoffElapsed)
    }
    #expect(driver.pod.state == .crashLoop)
  }

  @Test func requestsDoNotLetAPodThatNeverGetsReadyEscapeItsCrashLoop() {
    var driver = LifecycleDriver(.start)
    var launches = 1
    for _ in 0..<20 where driver.pod.state != .crashLoop {
      driver.send(.startTimeout)
      // Somebody's request comes while the scope is being stopped.
      driver.send(.start)
      driver.send(.ended(.signal("KILL")))
      driver.send(.backoffElapsed)
      if driver.pod.state == .starting { launches += 1 }
    }
    #expect(driver.pod.state == .crashLoop)
    #expect(launches == driver.policy.burst)
  }

  @Test func anOperatorsRestartDuringAStartTimeoutIsObeyedAtOnce() {
    var driver = LifecycleDriver(.start, .startTimeout)
    driver.send(.restart(.operator, .queue))
    driver.send(.ended(.signal("KILL")))
    #expect(driver.pod.state == .starting)
    #expect(driver.effects.contains(.recordEnd(.startTimeout)))
  }

  // MARK: What podd finds at its start

  @Test func anAdoptedPodGoesOnWhereItWas() {
    var pod = Lifecycle(wanted: .run, startLimitHit: false, lastEnd: nil, restarts: 3, now: 5)
    pod.adopt(ready: true, since: 7)
    #expect(pod.state == .ready)
    #expect(pod.restarts == 3)
    #expect(
      pod.handle(.ended(Self.crash), now: 8, random: 0, policy: Lifecycle.Policy()).first
        == .recordEnd(Self.crash))
  }

  @Test(arguments: [(Lifecycle.Wanted.stopped, PodState.stopped), (.cold, .cold)])
  func aPodFoundOnItsWayOutIsNotLaunchedAgain(_ wanted: Lifecycle.Wanted, _ state: PodState) {
    // Its stop was written down; its scope ended before the new podd came to repeat that.
    var pod = Lifecycle(wanted: wanted, startLimitHit: false, lastEnd: nil, restarts: 0, now: 5)
    pod.adopt(ready: true, since: 7)
    let effects = pod.handle(.ended(.unknownAdopted), now: 8, random: 0, policy: Lifecycle.Policy())
    #expect(pod.state == state)
    #expect(pod.wanted == wanted)
    #expect(effects == [.recordEnd(.unknownAdopted), .resolveFailed(.unknownAdopted), .announce])
  }

  @Test func aHangAfterALongTimeBeginsWithTheFirstDelay() {
    var driver = LifecycleDriver(.start, .launchFailed(Self.crash), .backoffElapsed, .ready)
    driver.now += driver.policy.stableAfter
    driver.send(.failed(.health))
    driver.send(.ended(.signal("KILL")))
    #expect(driver.effects.contains(.armBackoff(driver.policy.firstDelay)))
  }

  @Test func anAdoptedPodThatIsNotReadyMayStillTimeOut() {
    var pod = Lifecycle(wanted: .run, startLimitHit: false, lastEnd: nil, restarts: 0, now: 5)
    pod.adopt(ready: false, since: 7)
    #expect(pod.state == .starting)
    #expect(pod.handle(.startTimeout, now: 8, random: 0, policy: Lifecycle.Policy()).contains(.stopScope))
  }

  @Test func anEndThatNobodySawIsRemembered() {
    var pod = Lifecycle(wanted: .run, startLimitHit: false, lastEnd: nil, restarts: 0, now: 5)
    pod.endedUnseen(.unknownAdopted)
    #expect(pod.state == .cold)
    #expect(pod.lastEnd == .unknownAdopted)
  }

  // MARK: After podd was restarted

  private func found(
    wanted: Lifecycle.Wanted, _ cause: EndReason?, drains: Bool = false
  ) -> LifecycleDriver {
    var driver = LifecycleDriver(wanted: wanted)
    driver.pod.adopt(ready: true, since: 0)
    if let event = driver.pod.resumption(cause, drains: drains) { driver.send(event) }
    return driver
  }

  @Test func whatPoddWasStoppingGoesOnToEndForTheSameReason() {
    for (wanted, cause, state) in [
      (.run, .operator, .starting), (.run, .leak, .starting), (.run, .health, .backoff),
      (.run, .unknownAdopted, .backoff), (.cold, .pressure, .cold), (.stopped, .operator, .stopped),
    ] as [(Lifecycle.Wanted, EndReason, PodState)] {
      var driver = found(wanted: wanted, cause)
      #expect(driver.pod.state == .stopping && driver.effects.contains(.stopScope))
      driver.send(.ended(.signal("TERM")))
      #expect(driver.pod.state == state && driver.effects.contains(.recordEnd(cause)), "\(wanted), \(cause)")
    }
  }

  @Test func theConnectionsOfOneThatHangsAreNotWaitedFor() {
    #expect(found(wanted: .run, .operator, drains: true).pod.state == .draining)
    #expect(found(wanted: .run, .unknownAdopted, drains: true).pod.state == .draining)
    #expect(found(wanted: .run, .health, drains: true).pod.state == .stopping)
  }

  @Test func whatRunsAndIsWantedRunsOn() {
    let driver = found(wanted: .run, nil)
    #expect(driver.pod.state == .ready && driver.effects.isEmpty)
  }

  @Test func whatRunsAndIsNotWantedIsStopped() {
    for (wanted, cause) in [(.cold, .idle), (.stopped, .operator)] as [(Lifecycle.Wanted, EndReason)] {
      let driver = found(wanted: wanted, nil)
      #expect(driver.pod.state == .stopping && driver.pod.stopCause == cause)
    }
  }
}
