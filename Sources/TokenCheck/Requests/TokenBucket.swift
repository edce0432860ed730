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
  private var rate: RequestRate

  /// A full bucket.
  public init(_ rate: RequestRate, now: LoopTime) {
    level = rate.size
    time = now
    self.rate = rate
  }

  /// Takes one request out of the bucket, if there is one in it. A rate that differs from the last one counts from now
  /// on: the bucket has what the last one has brought, or as much as it can hold now.
  public mutating func take(_ rate: RequestRate, now: LoopTime) -> Admission {
    fill(until: now)
    if rate != self.rate { change(to: rate) }
    let period = rate.period.count
    guard level >= period else {
      let wait = Microseconds(dividedUp(period - level, UInt64(rate.count)))
      return .refused(retryAfter: wait.roundedUp(to: .seconds(1)))
    }
    level -= period
    return .admitted
  }

  private mutating func fill(until now: LoopTime) {
    let elapsed = (now - time).count
    let count = UInt64(rate.count)
    // The first test keeps the product within 64 bits.
    level = elapsed > (rate.size - level) / count ? rate.size : level + elapsed * count
    time = max(time, now)
  }

  private mutating func change(to rate: RequestRate) {
    // The quotient fits: the level is at most `RequestRate.maximum` times the old period.
    let product = level.multipliedFullWidth(by: rate.period.count)
    level = min(self.rate.period.count.dividingFullWidth(product).quotient, rate.size)
    self.rate = rate
  }
}
