import Testing
import Time

@Suite struct InstantTests {
  private let boot = LoopTime.zero
  private let epoch = WallTime.epoch

  @Test func anInstantMovesByASpan() {
    #expect((boot + .seconds(5)).sinceBoot == .seconds(5))
    #expect(boot + .seconds(5) - .seconds(2) == boot + .seconds(3))
    #expect((epoch + .days(1)).sinceEpoch == .hours(24))
    #expect(epoch + .days(1) - .hours(1) == epoch + .hours(23))
  }

  @Test func anInstantIsMovedInPlace() {
    var (loop, wall) = (boot, epoch)
    loop += .seconds(5)
    wall += .infinity
    #expect(loop == boot + .seconds(5))
    #expect(wall == .never)
  }

  @Test func anInstantSaturates() {
    #expect(boot + .seconds(5) + .infinity == .never)
    #expect(boot + .seconds(5) - .seconds(6) == boot)
    #expect(epoch + .infinity + .seconds(1) == .never)
    #expect(epoch - .seconds(1) == epoch)
    #expect(LoopTime.never - .days(1) == .never)
  }

  @Test func theDifferenceOfTwoInstantsIsNeverNegative() {
    let (early, late) = (boot + .seconds(5), boot + .seconds(7))
    #expect(late - early == .seconds(2))
    #expect(early - late == .zero)
    #expect(.never - early == Microseconds.infinity)
    #expect((epoch + .seconds(7)) - (epoch + .seconds(5)) == .seconds(2))
    #expect(epoch - (epoch + .seconds(5)) == .zero)
  }

  @Test func instantsAreOrdered() {
    #expect(boot < boot + Microseconds(1))
    #expect(boot + .days(36_500) < .never)
    #expect(max(epoch + .seconds(1), epoch) == epoch + .seconds(1))
  }
}

@Suite struct ClockReadingTests {
  private let loop = LoopTime.zero + .seconds(1000)
  private let wall = WallTime.epoch + .days(20_000)
  private var reading: ClockReading { ClockReading(loop: loop, wall: wall) }

  @Test func theReadingItselfIsTheSameMoment() {
    #expect(reading.wall(of: loop) == wall)
    #expect(reading.loop(of: wall) == loop)
  }

  @Test func aDistanceIsTheSameByBothClocks() {
    #expect(reading.wall(of: loop + .minutes(2)) == wall + .minutes(2))
    #expect(reading.wall(of: loop - .minutes(2)) == wall - .minutes(2))
    #expect(reading.loop(of: wall + .minutes(2)) == loop + .minutes(2))
    #expect(reading.loop(of: wall - .minutes(2)) == loop - .minutes(2))
  }

  @Test func whatNeverComesDoesSoByBothClocks() {
    #expect(reading.wall(of: .never) == .never)
    #expect(reading.loop(of: .never) == .never)
  }

  @Test func theLoopsClockHasNoTimeBeforeTheBoot() {
    #expect(reading.loop(of: wall - .seconds(1000)) == .zero)
    #expect(reading.loop(of: wall - .seconds(1001)) == nil)
    #expect(reading.loop(of: .epoch) == nil)
  }

  /// On a host without a battery, whose clock begins at the epoch with each boot.
  @Test func theWallClockHasNoTimeBeforeTheEpoch() {
    let early = ClockReading(loop: loop, wall: .epoch + .seconds(10))
    #expect(early.wall(of: loop - .seconds(11)) == .epoch)
    #expect(early.loop(of: .epoch) == loop - .seconds(10))
  }
}
