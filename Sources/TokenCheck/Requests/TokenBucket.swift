public import Time

/// What a limit says to one request.
public enum Admission: Equatable, Sendable {
  case admitted
  /// After this number of seconds, and not one second earlier, the next request is admitted if none comes before it.
  case refused(retryAfter: UInt64)
}

/// A token bucket that is exact: from any moment on, at most `burst + time × rate` requests are admitted, and so many are
/// if they come. It counts in whole numbers, so that no rounding adds up.
public struct TokenBucket: Sendable {
  /// What is in the bucket, in parts of which a request takes `period` (microseconds), and each microsecond brings `count`.
  private var level: UInt64
  private var time: LoopTime
  private var period: Microseconds

  /// A full bucket.
  public init(_ rate: RequestRate, now: LoopTime) {
    level = rate.period.count * UInt64(rate.burst)
    time = now
    period = rate.period
  }

  /// Takes one request out of the bucket, if there is one in it. A rate that differs from the last one counts from now on;
  /// the bucket then has as many requests as before, or as many as it can have now.
  public mutating func take(_ rate: RequestRate, now: LoopTime) -> Admission {
    if rate.period != period {
      // The quotient fits: the level is at most `maximum` times the old period.
      let (high, low) = level.multipliedFullWidth(by: rate.period.count)
      level = period.count.dividingFullWidth((high, low)).quotient
      period = rate.period
    }
    let size = rate.period.count * UInt64(rate.burst)
    let count = UInt64(rate.count)
    level = min(level, size)
    let elapsed = (now - time).count
    // The first test keeps the product within 64 bits.
    level = elapsed > (size - level) / count ? size : level + elapsed * count
    time = max(time, now)
    guard level >= period.count else {
      let wait = Microseconds(dividedUp(period.count - level, count))
      return .refused(retryAfter: wait.roundedUp(to: .seconds(1)))
    }
    level -= period.count
    return .admitted
  }
}
