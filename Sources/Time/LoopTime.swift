/// An instant of the event loop's clock, CLOCK_MONOTONIC: it never goes back, stands still while the host sleeps, and
/// means nothing after the next boot. Deadlines, pauses and everything else that is measured.
///
/// In a simulation or a replayed trace, the clock of that world stands in. An instant of ``WallTime`` cannot be compared
/// with it; ``ClockReading`` converts.
public struct LoopTime: Sendable, Hashable {
  /// The clock's reading.
  public let sinceBoot: Microseconds

  public init(sinceBoot: Microseconds) { self.sinceBoot = sinceBoot }

  /// The clock's first instant.
  public static var zero: LoopTime { LoopTime(sinceBoot: .zero) }

  /// After every other instant: the end of an infinite span.
  public static var never: LoopTime { LoopTime(sinceBoot: .infinity) }
}

extension LoopTime: Comparable {
  public static func < (left: LoopTime, right: LoopTime) -> Bool { left.sinceBoot < right.sinceBoot }

  /// `never` when it does not fit.
  public static func + (time: LoopTime, span: Microseconds) -> LoopTime {
    LoopTime(sinceBoot: time.sinceBoot + span)
  }

  /// The clock's first instant when the span is longer than the clock has run.
  public static func - (time: LoopTime, span: Microseconds) -> LoopTime {
    LoopTime(sinceBoot: time.sinceBoot - span)
  }

  public static func += (time: inout LoopTime, span: Microseconds) { time = time + span }

  /// How long after `earlier`; zero when it is not after it, infinite when it never comes.
  public static func - (later: LoopTime, earlier: LoopTime) -> Microseconds {
    later.sinceBoot - earlier.sinceBoot
  }
}
