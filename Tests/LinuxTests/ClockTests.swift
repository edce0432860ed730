import Linux
import Testing
import Time

@Suite struct ClockTests {
  @Test func theLoopsClockNeverGoesBack() {
    let first = Clock.loop
    let both = Clock.now
    #expect(first > .zero && both.loop >= first && Clock.loop >= both.loop)
  }

  @Test func theWallClockCountsFromTheEpoch() {
    // When this was written; no host that builds podctl is set to an earlier time.
    #expect(Clock.wall > .epoch + .days(365 * 55))
    #expect(Clock.now.wall > .epoch + .days(365 * 55))
  }

  @Test func anInstantThatNeverComesDoesNotBecomeOneThatDoes() {
    #expect(Clock.wall(of: .never) == .never)
  }
}
