/// Both clocks, read at the same moment. An instant of one becomes an instant of the other by its distance from that
/// moment, so the result is as right as the wall clock was then.
public struct ClockReading: Sendable, Equatable {
  public let loop: LoopTime
  public let wall: WallTime

  public init(loop: LoopTime, wall: WallTime) {
    self.loop = loop
    self.wall = wall
  }

  /// When an instant of the loop's clock is, or was, by the wall clock.
  public func wall(of time: LoopTime) -> WallTime {
    time >= loop ? wall + (time - loop) : wall - (loop - time)
  }

  /// When an instant of the wall clock is, or was, by the loop's clock; nil when the clock has not run that long.
  public func loop(of time: WallTime) -> LoopTime? {
    if time >= wall { return loop + (time - wall) }
    let ago = wall - time
    return ago <= loop.sinceBoot ? loop - ago : nil
  }
}
