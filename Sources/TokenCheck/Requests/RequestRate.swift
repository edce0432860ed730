public import Time

/// How many requests a user may make: `count` in each `period` on average, and `burst` at once.
public struct RequestRate: Hashable, Sendable {
  public let period: Microseconds
  public let count: UInt32
  public let burst: UInt32

  /// The largest count and burst. With the longest period, a day, every product fits into 64 bits.
  public static let maximum: UInt32 = 1_000_000

  /// Nil if `count` is zero, which stands for no limit. Other values are brought into their bounds: a count and a burst
  /// from 1 to ``maximum``, a period of a microsecond to a day.
  public init?(count: UInt32, period: Microseconds, burst: UInt32) {
    guard count > 0 else { return nil }
    self.count = min(count, Self.maximum)
    self.period = min(max(period, Microseconds(1)), .days(1))
    self.burst = min(max(burst, 1), Self.maximum)
  }

  /// What a full bucket holds, in parts of which a request takes `period`.
  var size: UInt64 { period.count * UInt64(burst) }

  /// The time in which an empty bucket fills.
  var refill: Microseconds { Microseconds(dividedUp(size, UInt64(count))) }
}

/// Rounded up to a whole number.
func dividedUp(_ number: UInt64, _ divisor: UInt64) -> UInt64 {
  number / divisor + (number % divisor == 0 ? 0 : 1)
}
