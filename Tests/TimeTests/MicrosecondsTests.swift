import Testing
import Time

@Suite struct MicrosecondsTests {
  @Test func unitsAreMicroseconds() {
    #expect(Microseconds.milliseconds(250).count == 250_000)
    #expect(Microseconds.seconds(5).count == 5_000_000)
    #expect(Microseconds.minutes(2) == .seconds(120))
    #expect(Microseconds.hours(24) == .days(1))
    #expect(Microseconds.infinity.count == .max)
  }

  @Test func aSumThatDoesNotFitIsInfinite() {
    let long = Microseconds(.max - 1)
    #expect(long + Microseconds(1) == .infinity)
    #expect(long + long == .infinity)
    #expect(.infinity + .infinity == Microseconds.infinity)
    #expect(.seconds(1) + .milliseconds(500) == Microseconds(1_500_000))
  }

  @Test func aDifferenceIsNeverNegative() {
    #expect(.seconds(1) - .seconds(2) == Microseconds.zero)
    #expect(.seconds(2) - .seconds(1) == Microseconds.seconds(1))
  }

  /// As usec_sub() does it: a pause without end does not become one of 584,000 years.
  @Test func infinityDoesNotDegrade() {
    #expect(.infinity - .days(1) == Microseconds.infinity)
    #expect(.infinity - .infinity == Microseconds.infinity)
    #expect(Microseconds.infinity / 16 == .infinity)
    #expect(Microseconds.infinity * 2 == .infinity)
    #expect(Microseconds.infinity.scaled(by: 0.5) == .infinity)
  }

  @Test func aProductThatDoesNotFitIsInfinite() {
    #expect(Microseconds.days(.max) == .infinity)
    #expect(Microseconds.hours(1) * (1 << 63) == .infinity)
    #expect(Microseconds.seconds(10) * 0 == .zero)
  }

  @Test func aSpanIsDividedByANumberOrByASpan() {
    #expect(Microseconds.seconds(10) / 4 == .milliseconds(2500))
    #expect(Microseconds.seconds(90) / .minutes(1) == 1)
    #expect(Microseconds.seconds(90) % .minutes(1) == .seconds(30))
    #expect(Microseconds.seconds(90).roundedUp(to: .minutes(1)) == 2)
    #expect(Microseconds.seconds(60).roundedUp(to: .minutes(1)) == 1)
    #expect(Microseconds.zero.roundedUp(to: .minutes(1)) == 0)
    #expect(Microseconds.infinity.roundedUp(to: Microseconds(1)) == .max)
  }

  @Test func assignmentSaturatesToo() {
    var span = Microseconds.seconds(1)
    span -= .seconds(2)
    #expect(span == .zero)
    span += .infinity
    #expect(span == .infinity)
  }

  @Test func spansAreOrdered() {
    #expect(Microseconds.zero < Microseconds(1))
    #expect(Microseconds.days(36_500) < .infinity)
    #expect(max(Microseconds.seconds(1), .milliseconds(1001)) == .milliseconds(1001))
  }

  // MARK: Real numbers

  @Test func realSecondsAreRoundedDown() {
    #expect(Microseconds(seconds: 1.5) == .milliseconds(1500))
    #expect(Microseconds(seconds: 0.000_001_9).count == 1)
    #expect(Microseconds(seconds: 9e-7) == .zero)
  }

  @Test func realNumbersThatDoNotFitSaturate() {
    #expect(Microseconds(seconds: -1) == .zero)
    #expect(Microseconds(seconds: .nan) == .zero)
    #expect(Microseconds(seconds: -.infinity) == .zero)
    #expect(Microseconds(seconds: .infinity) == .infinity)
    #expect(Microseconds(seconds: 1e300) == .infinity)
    #expect(Microseconds(seconds: 1e12).count == 1_000_000_000_000_000_000)
  }

  @Test func secondsAreReal() {
    #expect(Microseconds.milliseconds(1500).seconds == 1.5)
    #expect(Microseconds.infinity.seconds == .infinity)
    #expect(Microseconds(seconds: Microseconds.infinity.seconds) == .infinity)
  }

  @Test func sharesAndFactors() {
    #expect(Microseconds.seconds(1).share(of: .seconds(4)) == 0.25)
    #expect(Microseconds.seconds(4).scaled(by: 0.25) == .seconds(1))
    #expect(Microseconds.seconds(4).scaled(by: -1) == .zero)
    #expect(Microseconds.days(1).scaled(by: 1e300) == .infinity)
  }
}
