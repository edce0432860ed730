internal import CLinux
public import Time

/// The host's clocks.
public enum Clock {
  /// CLOCK_MONOTONIC.
  public static var loop: LoopTime { LoopTime(sinceBoot: Microseconds(linux_monotonic())) }

  /// CLOCK_REALTIME.
  public static var wall: WallTime { WallTime(sinceEpoch: Microseconds(linux_realtime())) }

  /// Both, read one right after the other.
  public static var now: ClockReading { ClockReading(loop: loop, wall: wall) }

  /// When an instant of the loop's clock is, or was, by the wall clock as it is set now.
  public static func wall(of time: LoopTime) -> WallTime { now.wall(of: time) }
}
