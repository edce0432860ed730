/// An instant of CLOCK_REALTIME, which an administrator or NTP may set, also back. Everything that outlives the boot or
/// leaves podd: what the databases keep, what goes over D-Bus, and what people read.
///
/// An instant of ``LoopTime`` cannot be compared with it; ``ClockReading`` converts.
public struct WallTime: Sendable, Hashable {
  /// Since 1970-01-01 00:00 UTC.
  public let sinceEpoch: Microseconds

  public init(sinceEpoch: Microseconds) { self.sinceEpoch = sinceEpoch }

  public static var epoch: WallTime { WallTime(sinceEpoch: .zero) }

  /// After every other instant: the end of an infinite span.
  public static var never: WallTime { WallTime(sinceEpoch: .infinity) }
}

extension WallTime: Comparable {
  public static func < (left: WallTime, right: WallTime) -> Bool { left.sinceEpoch < right.sinceEpoch }

  /// `never` when it does not fit.
  public static func + (time: WallTime, span: Microseconds) -> WallTime {
    WallTime(sinceEpoch: time.sinceEpoch + span)
  }

  /// The epoch when the span reaches beyond it.
  public static func - (time: WallTime, span: Microseconds) -> WallTime {
    WallTime(sinceEpoch: time.sinceEpoch - span)
  }

  public static func += (time: inout WallTime, span: Microseconds) { time = time + span }

  /// How long after `earlier`; zero when it is not after it, infinite when it never comes.
  public static func - (later: WallTime, earlier: WallTime) -> Microseconds {
    later.sinceEpoch - earlier.sinceEpoch
  }
}
