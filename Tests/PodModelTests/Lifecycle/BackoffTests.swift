import PodModel
import Testing
import Time
import TimeLiterals

/// The pauses and the limit that pods and their workers share.
@Suite struct BackoffTests {
  @Test func thePauseDoublesUpToItsMaximumAndBeginsAgain() {
    var policy = Lifecycle.Policy()
    policy.firstDelay = 10
    policy.maxDelay = 60
    var backoff = Backoff()
    #expect((0..<5).map { _ in backoff.next(policy, random: 0) } == [10, 20, 40, 60, 60])
    backoff.reset()
    #expect(backoff.next(policy, random: 1) == 12)
  }

  @Test(arguments: [
    ([0, 1, 2], true), ([0, 1], false), ([0, 10, 20], false), ([0, 10, 11, 12], true), ([0, 9, 10], false),
  ])
  func theLimitIsHitByEndsWithinOneInterval(ends: [LoopTime], isHit: Bool) {
    var policy = Lifecycle.Policy()
    policy.burst = 3
    policy.burstInterval = 10
    var limit = StartLimit()
    for end in ends { limit.count(at: end, policy) }
    #expect(limit.isHit(policy) == isHit)
    limit.reset()
    #expect(!limit.isHit(policy))
  }

  @Test func whatTheHostIsAtFaultForDoesNotCount() {
    var policy = Lifecycle.Policy()
    policy.burst = 1
    var limit = StartLimit()
    limit.count(at: 0, policy, isOfHost: true)
    #expect(!limit.isHit(policy))
  }
}
