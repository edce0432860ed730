import Testing
import Time

@testable import PoddCore

/// When history may be deleted by its age.
@Suite struct SteadyClockTests {
  private static func reading(_ hours: UInt64, offset: UInt64) -> ClockReading {
    ClockReading(loop: .zero + .hours(hours), wall: .epoch + .hours(offset + hours))
  }

  @Test func aClockThatWasNotSetForHoursIsBelieved() {
    var clock = SteadyClock()
    let answers = (0..<6).map { clock.isSteady(Self.reading($0, offset: 400_000)) }
    #expect(answers == [false, false, false, true, true, true])
  }

  @Test func aStepInEitherDirectionBeginsTheTimeAgain() {
    for offset: UInt64 in [300_000, 500_000] {
      var clock = SteadyClock()
      for hour in 0..<6 as Range<UInt64> { _ = clock.isSteady(Self.reading(hour, offset: 400_000)) }
      let answers = (6..<10).map { clock.isSteady(Self.reading($0, offset: offset)) }
      #expect(answers == [false, false, false, true])
    }
  }
}
