import PodModel
import Testing
import Time

@Suite struct LeakPolicyTests {
  private static let now = LoopTime.zero + .hours(100)
  private static let mebibyte: UInt64 = 1 << 20

  /// 100 MiB of limit, growing by the same amount each second.
  private func situation(
    heldMiB: UInt64 = 50, slope: Double = 1024, leak: Bool = true
  ) -> LeakPolicy.Situation {
    var finding = LeakDetector.Finding()
    finding.isLeak = leak
    finding.slope = slope
    finding.slopeLow = slope * 0.8
    finding.slopeHigh = slope * 1.25
    finding.held = heldMiB << 20
    finding.limit = 100 << 20
    finding.detectedAt = Self.now - .seconds(600)
    return LeakPolicy.Situation(now: Self.now, finding: finding)
  }

  private func busy() -> LoadCourse {
    var load = LoadCourse()
    for _ in 0..<20 { load.add(0.1) }
    for _ in 0..<4 { load.add(0.9) }
    return load
  }

  private func quiet() -> LoadCourse {
    var load = LoadCourse()
    for _ in 0..<20 { load.add(0.9) }
    for _ in 0..<4 { load.add(0.01) }
    return load
  }

  private func policy(_ action: LeakAction = .recycle, perHour: Int = 12) -> LeakPolicy {
    var policy = LeakPolicy()
    policy.action = action
    policy.recyclesPerHour = perHour
    return policy
  }

  @Test func whatIsNoLeakIsLeftAlone() {
    #expect(policy().decide(situation(heldMiB: 99, leak: false)) == .nothing)
    #expect(policy(.ignore).decide(situation(heldMiB: 99)) == .nothing)
  }

  @Test func aDryRunOnlyTells() {
    #expect(policy(.alert).decide(situation(heldMiB: 99)) == .alert(.dryRun))
    #expect(policy(perHour: 0).decide(situation(heldMiB: 99)) == .alert(.dryRun))
  }

  @Test func whatTheVersionDoesIsNotCuredPodByPod() {
    var all = situation(heldMiB: 99)
    all.isOfTheVersion = true
    #expect(policy().decide(all) == .alert(.version))
  }

  @Test func aQuietMomentIsWaitedForWhileThereIsTime() {
    var one = situation()
    one.load = busy()
    guard case .wait(.busy, let until?) = policy().decide(one) else {
      Issue.record("\(policy().decide(one))")
      return
    }
    // 40 MiB until a tenth is left, at the upper end of the pace.
    let seconds = Double(40 << 20) / (1024 * 1.25)
    #expect(abs((until - Self.now).seconds - seconds) < 1)
    one.load = quiet()
    #expect(policy().decide(one) == .recycle(.quiet))
  }

  @Test func itIsDueWithATenthOfTheLimitLeft() {
    var one = situation(heldMiB: 91)
    one.load = busy()
    #expect(policy().decide(one) == .recycle(.due))
    one = situation(heldMiB: 88)
    one.load = busy()
    #expect(policy().decide(one) != .recycle(.due))
  }

  @Test func itIsDueTwoMinutesBeforeTheLimit() {
    // 20 MiB left at 0.2 MiB a second.
    #expect(policy().decide(situation(heldMiB: 80, slope: 0.2 * 1_048_576)) == .recycle(.due))
    #expect(policy().decide(situation(heldMiB: 60, slope: 0.2 * 1_048_576)) != .recycle(.due))
  }

  @Test func whatIsBeyondItsLimitAlreadyIsDue() {
    #expect(policy().decide(situation(heldMiB: 150)) == .recycle(.due))
  }

  @Test func aLeakWithoutALimitWaitsForAQuietMoment() {
    var one = situation()
    one.finding.limit = nil
    one.load = busy()
    #expect(policy().decide(one) == .wait(.busy, until: nil))
  }

  @Test func onePaceThatIsNoneMeetsNoLimit() {
    for slope in [0, -5, Double.nan] {
      var one = situation(slope: slope)
      one.load = busy()
      #expect(policy().decide(one) == .wait(.busy, until: nil), "\(slope)")
    }
  }

  @Test func aPodThatLeaksAgainIsLookedAtForLonger() {
    var one = situation(heldMiB: 20)
    one.load = quiet()
    one.finding.detectedAt = Self.now - .seconds(301)
    one.ownRecycles = [Self.now - .hours(2)]
    #expect(policy().decide(one) == .recycle(.quiet))
    one.ownRecycles.append(Self.now - .hours(3))
    #expect(
      policy().decide(one) == .wait(.leakedBefore(2), until: Self.now - .seconds(301) + .seconds(600))
    )
    // Not beyond the point at which it is due.
    one.finding.held = 91 << 20
    #expect(policy().decide(one) == .recycle(.due))
    // A day later it is as any other.
    one = situation(heldMiB: 20)
    one.load = quiet()
    one.finding.detectedAt = Self.now
    one.ownRecycles = [Self.now - .hours(25)]
    #expect(policy().decide(one) == .recycle(.quiet))
  }

  @Test func whenTheHoursRecyclesAreUsedUpItIsToldOfAndWaits() {
    var one = situation(heldMiB: 95)
    one.recycles = [Self.now - .hours(3), Self.now - .minutes(50), Self.now - .minutes(1)]
    #expect(
      policy(perHour: 2).decide(one) == .alert(.budget(2), until: Self.now + .minutes(10)))
    #expect(policy(perHour: 3).decide(one) == .recycle(.due))
  }

  @Test func onePodDoesNotUseUpWhatAllHave() {
    var one = situation(heldMiB: 95)
    one.ownRecycles = [Self.now - .minutes(1), Self.now - .seconds(120)]
    one.recycles = one.ownRecycles
    #expect(policy(perHour: 4).decide(one) == .alert(.share(2), until: Self.now + .seconds(3480)))
    #expect(policy(perHour: 6).decide(one) == .recycle(.due))
  }

  @Test func aLoadThatNeverChangesIsAlwaysQuietAndOneThatIsUnknownNever() {
    var load = LoadCourse()
    #expect(!load.isQuiet)
    for _ in 0..<11 { load.add(0.5) }
    #expect(!load.isQuiet)
    for _ in 0..<5000 { load.add(0.5) }
    #expect(load.isQuiet)
  }

  @Test func aDaysRhythmIsRemembered() {
    var load = LoadCourse()
    for reading in 0..<8640 { load.add(reading % 8640 < 2000 ? 0.05 : 0.8) }
    #expect(!load.isQuiet)
    for _ in 0..<20 { load.add(0.05) }
    #expect(load.isQuiet)
  }

  @Test func theReasonsSayWhatIsInTheWay() {
    #expect(LeakPolicy.Reason.budget(12).clause.contains("LeakRecyclesPerHour"))
    #expect(LeakPolicy.Reason.leakedBefore(1).clause.contains("1 time within"))
  }
}
