import PodModel
import Testing
import Time
import TimeLiterals

@Suite struct StallTests {
  private static let limit: UInt64 = 64 << 20

  /// A look every five seconds, stalled for that share of the time before it.
  private func verdicts(
    _ shares: [Double], current: UInt64 = limit, timeout: Microseconds = .seconds(30), treatedBefore: Int = 0
  ) -> [Stall.Verdict] {
    var look = Stall.Look(at: .zero + .seconds(50), full: 7, current: current, limit: Self.limit)
    var stall = Stall(look)
    return shares.map { share in
      look.at += .seconds(5)
      look.full += .seconds(5).scaled(by: share)
      return stall.look(look, timeout: timeout, treatedBefore: treatedBefore)
    }
  }

  @Test func aPodThatStallsAllTheTimeIsTreatedWhenItsTimeIsOver() {
    #expect(verdicts(Array(repeating: 0.9, count: 6)) == Array(repeating: .watched, count: 5) + [.treat])
  }

  @Test func oneThatRecoversIsLeftAlone() {
    #expect(verdicts([0.9, 0.9, 0.9, 0.9, 0.05, 0.01, 0]).last == .over)
    // It is not treated in a calm moment, however long ago it began.
    #expect(verdicts([0.9, 0.9, 0.9, 0.9, 0.9, 0, 0.9])[5] == .watched)
  }

  @Test func twoStallsFarApartAreNotOneLongOne() {
    let between = Array(repeating: 0.15, count: 40)
    #expect(verdicts([0.25] + between + [0.25]).last == .watched)
  }

  @Test func pressureFromElsewhereIsNoStallAtItsLimit() {
    #expect(verdicts(Array(repeating: 0.9, count: 9), current: Self.limit / 2)[2] == .over)
  }

  @Test func aFifthOfTheTimeIsAStall() {
    #expect(verdicts(Array(repeating: 0.21, count: 6)).last == .treat)
    #expect(!verdicts(Array(repeating: 0.19, count: 60)).contains(.treat))
  }

  @Test func whatComesAgainIsGivenTwiceAsLong() {
    #expect(Stall.patience(.seconds(60), 0) == .seconds(60))
    #expect(Stall.patience(.seconds(60), 3) == .seconds(480))
    #expect(Stall.patience(.seconds(60), 1000) == .seconds(3600))
    #expect(Stall.patience(.infinity, 5) == .infinity)
    #expect(!verdicts(Array(repeating: 0.9, count: 11), treatedBefore: 1).contains(.treat))
    #expect(verdicts(Array(repeating: 0.9, count: 12), treatedBefore: 1).last == .treat)
  }

  @Test func aCounterThatGoesBackIsNoStall() {
    var stall = Stall(Stall.Look(at: 10, full: .seconds(1), current: Self.limit, limit: Self.limit))
    #expect(
      stall.look(
        Stall.Look(at: .zero + .seconds(1) + 10, full: 0, current: Self.limit, limit: Self.limit), timeout: 1,
        treatedBefore: 0)
        == .watched)
    #expect(stall.share == 0)
  }

  @Test func withoutALimitNothingStallsAtIt() {
    var stall = Stall(Stall.Look(at: 0, full: 0, current: 5, limit: nil))
    let verdict = stall.look(
      Stall.Look(at: .zero + .seconds(1), full: .seconds(1), current: 5, limit: nil), timeout: 1,
      treatedBefore: 0)
    #expect(verdict == .watched)
  }
}
