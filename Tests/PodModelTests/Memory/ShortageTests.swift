import PodModel
import Testing
import Time

@Suite struct ShortageTests {
  private static let mebibyte: UInt64 = 1 << 20
  /// Of a thousand MiB, with the default of 5 %: short below 50 with pressure, below 25 without.
  private func level(_ available: UInt64, stall: Double) -> Shortage.Level {
    Shortage.Level(stall: stall, available: available * Self.mebibyte, total: 1000 * Self.mebibyte)
  }

  private func pod(
    _ number: Int, rank: Int = 0, idle: UInt64? = 100, current: UInt64 = 40, file: UInt64 = 0
  ) -> Shortage.Candidate {
    var candidate = Shortage.Candidate(pod: PodName(number: number), rank: rank)
    candidate.current = current * Self.mebibyte
    candidate.file = file * Self.mebibyte
    candidate.idleSince = idle.map { Self.now - .seconds($0) }
    return candidate
  }

  private static let now = LoopTime.zero + .seconds(1_000)

  /// What is done while memory stays short, until nothing is left; stopped pods go.
  private func course(
    _ pods: [Shortage.Candidate], _ policy: Shortage.Policy = Shortage.Policy()
  ) -> [String] {
    var shortage = Shortage()
    var pods = pods
    var told: [String] = []
    for turn in 0..<100 {
      let now = Self.now + .milliseconds(250) * UInt64(turn)
      guard
        case .act(let step) = shortage.next(
          host: level(20, stall: 0.5), pods: nil, candidates: { pods }, policy: policy, now: now)
      else { break }
      #expect(step.order == told.count + 1)
      told.append("\(step.act.name) \(step.pod.number)")
      switch step.act {
      case .stop: pods.removeAll { $0.pod == step.pod }
      case .freeze:
        for index in pods.indices where pods[index].pod == step.pod {
          pods[index].isFrozen = true
          pods[index].current = Self.mebibyte
        }
      case .reclaim(let bytes):
        for index in pods.indices where pods[index].pod == step.pod { pods[index].current -= bytes }
      }
    }
    return told
  }

  // MARK: When

  @Test(
    arguments: [
      // Pressure alone is a pod at its own limit; little left without pressure is a host that is used well.
      (900, 0.9, false), (60, 0.9, false), (40, 0.05, false), (40, 0.2, true), (20, 0.0, true),
    ] as [(UInt64, Double, Bool)])
  func memoryIsShort(_ available: UInt64, _ stall: Double, _ expected: Bool) {
    var shortage = Shortage()
    let verdict = shortage.next(
      host: level(available, stall: stall), pods: nil, candidates: { [pod(1)] }, policy: Shortage.Policy(),
      now: Self.now)
    #expect((verdict != .calm) == expected)
  }

  @Test func podsSliceMayBeShortWhileTheHostIsNot() {
    var shortage = Shortage()
    let verdict = shortage.next(
      host: level(900, stall: 0.3), pods: level(30, stall: 0.3), candidates: { [pod(1)] },
      policy: Shortage.Policy(), now: Self.now)
    #expect(verdict != .calm)
  }

  @Test func nothingIsDoneAnyMoreOnceThereIsEnough() {
    var shortage = Shortage()
    func look(_ available: UInt64, _ stall: Double, at now: UInt64) -> Shortage.Verdict {
      shortage.next(
        host: level(available, stall: stall), pods: nil, candidates: { [pod(1), pod(2)] },
        policy: Shortage.Policy(), now: Self.now + .seconds(now))
    }
    guard case .act = look(40, 0.2, at: 0) else { return #expect(Bool(false), "short") }
    // Not yet: what was short stays so until there is clearly more.
    guard case .act = look(55, 0.08, at: 1) else { return #expect(Bool(false), "still short") }
    #expect(look(70, 0.2, at: 2) == .watch(isStuck: false))
    #expect(look(70, 0, at: 7) == .over(acts: 2, lasted: .seconds(1)))
    #expect(look(55, 0.08, at: 8) == .calm)
  }

  @Test func nobodyIsAskedWhileMemoryIsNotShort() {
    var shortage = Shortage()
    var asked = 0
    let candidates = { () -> [Shortage.Candidate] in
      asked += 1
      return []
    }
    _ = shortage.next(
      host: level(500, stall: 0), pods: nil, candidates: candidates, policy: Shortage.Policy(), now: Self.now)
    #expect(asked == 0)
  }

  // MARK: Who

  @Test func theLowestTierGoesFirstAndWithinItTheLongestIdle() {
    let pods = [pod(1, rank: 30), pod(2, rank: 10, idle: 20), pod(3, rank: 10, idle: 500), pod(4, rank: 20)]
    #expect(course(pods) == ["stop 3", "stop 2", "stop 4", "stop 1"])
  }

  @Test func whoIsBusyOrWasJustNowIsLeftAlone() {
    #expect(course([pod(1, idle: nil), pod(2, idle: 9), pod(3, idle: 10)]) == ["stop 3"])
  }

  @Test func whoUsesNoMoreThanItsMemoryLowIsLeftAlone() {
    var within = pod(1)
    within.memoryLow = within.current
    var beyond = pod(2)
    beyond.memoryLow = beyond.current - Self.mebibyte
    #expect(course([within, beyond]) == ["stop 2"])
  }

  @Test func allAreReclaimedFromBeforeAnybodyIsStopped() {
    #expect(
      course([pod(1, file: 10), pod(2, rank: 5, file: 20), pod(3)]) == [
        "reclaim 1", "reclaim 2", "stop 1", "stop 3", "stop 2",
      ])
  }

  @Test func whatMemoryLowProtectsIsNotReclaimed() {
    var protected = pod(1, current: 40, file: 30)
    protected.memoryLow = 35 * Self.mebibyte
    var shortage = Shortage()
    guard
      case .act(let step) = shortage.next(
        host: level(20, stall: 1), pods: nil, candidates: { [protected] }, policy: Shortage.Policy(),
        now: Self.now)
    else { return #expect(Bool(false), "short") }
    #expect(step.act == .reclaim(5 * Self.mebibyte))
  }

  // MARK: How

  @Test func withSwapPodsAreFrozenBeforeAnyIsStopped() {
    var swapped = [pod(1), pod(2)]
    for index in swapped.indices { swapped[index].swapLeft = 100 * Self.mebibyte }
    var policy = Shortage.Policy()
    #expect(course(swapped) == ["freeze 1", "freeze 2", "stop 1", "stop 2"])
    policy.action = .freeze
    #expect(course(swapped, policy) == ["freeze 1", "freeze 2"])
    // Without swap a frozen pod keeps its memory.
    #expect(course([pod(1), pod(2)], policy) == [])
  }

  @Test func oneThatCannotBeFrozenIsStopped() {
    var stubborn = pod(1)
    stubborn.swapLeft = 100 * Self.mebibyte
    var shortage = Shortage()
    let acts = (0..<2).map { turn -> Shortage.Step.Act? in
      // It stays as it is.
      guard
        case .act(let step) = shortage.next(
          host: level(20, stall: 0.5), pods: nil, candidates: { [stubborn] }, policy: Shortage.Policy(),
          now: Self.now + .milliseconds(250) * UInt64(turn))
      else { return nil }
      return step.act
    }
    #expect(acts == [.freeze, .stop])
  }

  @Test func littleGiftsDoNotKeepALargeHostFromStoppingPods() {
    // Page cache that comes back at once, of more pods than can be asked within a minute.
    let pods = (1...300).map { pod($0, file: 2) }
    var shortage = Shortage()
    var stops = 0
    for turn in 0..<400 {
      if case .act(let step) = shortage.next(
        host: level(20, stall: 0.5), pods: nil, candidates: { pods }, policy: Shortage.Policy(),
        now: Self.now + .milliseconds(250) * UInt64(turn)), step.act == .stop
      {
        stops += 1
      }
    }
    #expect(stops == 100)
    // Close to the end, nobody is asked for little.
    var late = Shortage()
    guard
      case .act(let step) = late.next(
        host: level(5, stall: 0.5), pods: nil, candidates: { pods }, policy: Shortage.Policy(), now: Self.now)
    else { return #expect(Bool(false), "short") }
    #expect(step.act == .stop)
  }

  @Test func whoIsWokenAgainAndAgainIsLeftAloneForLonger() {
    // Somebody comes every 30 s and wakes it, while memory stays short for an hour.
    var shortage = Shortage()
    var candidate = pod(1, idle: 0)
    var (stops, isStopped) = ([UInt64](), false)
    for second in 0..<3600 as Range<UInt64> {
      let now = Self.now + .seconds(second)
      if second % 30 == 0 { (isStopped, candidate.idleSince) = (false, now) }
      let verdict = shortage.next(
        host: level(20, stall: 0.5), pods: nil, candidates: { isStopped ? [] : [candidate] },
        policy: Shortage.Policy(), now: now)
      if case .act = verdict {
        isStopped = true
        stops.append(second)
      }
    }
    #expect(stops == [10, 50])
    // Nobody comes any more.
    let now = Self.now + .hours(1)
    candidate.idleSince = now - .seconds(39)
    #expect(
      shortage.next(
        host: level(20, stall: 0.5), pods: nil, candidates: { [candidate] }, policy: Shortage.Policy(),
        now: now)
        == .watch(isStuck: true))
    let later = now + .seconds(1)
    guard
      case .act = shortage.next(
        host: level(20, stall: 0.5), pods: nil, candidates: { [candidate] }, policy: Shortage.Policy(),
        now: later)
    else { return #expect(Bool(false), "idle for long enough") }
  }

  @Test func theActionSaysHowFarItGoes() {
    var policy = Shortage.Policy()
    policy.action = .reclaim
    #expect(course([pod(1, file: 10), pod(2)], policy) == ["reclaim 1"])
    policy.action = .none
    #expect(course([pod(1, file: 10), pod(2)], policy) == [])
  }

  @Test func nobodyLeftIsTold() {
    var shortage = Shortage()
    let verdict = shortage.next(
      host: level(20, stall: 1), pods: nil, candidates: { [pod(1, idle: nil)] }, policy: Shortage.Policy(),
      now: Self.now)
    #expect(verdict == .watch(isStuck: true))
  }

  @Test func theSameLookGivesTheSameAnswerWhateverTheOrder() {
    let pods = (1...20).map { pod($0, rank: $0 % 3, idle: UInt64(50 + $0 % 4)) }
    #expect(course(pods) == course(pods.reversed()))
    #expect(course(pods).count == 20)
  }
}
