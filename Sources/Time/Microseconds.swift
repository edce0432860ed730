/// A span of time in whole microseconds, as systemd's `usec_t`: never negative, and with an infinity.
///
/// Arithmetic saturates and never traps: a sum that does not fit is ``infinity``, a difference below zero is ``zero``, and
/// an infinite span stays infinite (docs/decisions/0019-types-for-time.md).
public struct Microseconds: Sendable, Hashable {
  /// How many microseconds; 2^64-1 for ``infinity``, as systemd has it on D-Bus and in its files.
  public let count: UInt64

  public init(_ count: UInt64) { self.count = count }

  public static var zero: Microseconds { Microseconds(0) }

  /// Longer than any other span: what has no limit, or never comes (systemd's USEC_INFINITY).
  public static var infinity: Microseconds { Microseconds(.max) }

  public static func milliseconds(_ count: UInt64) -> Microseconds { Microseconds(1_000) * count }
  public static func seconds(_ count: UInt64) -> Microseconds { Microseconds(1_000_000) * count }
  public static func minutes(_ count: UInt64) -> Microseconds { seconds(60) * count }
  public static func hours(_ count: UInt64) -> Microseconds { minutes(60) * count }
  /// Days of 24 hours.
  public static func days(_ count: UInt64) -> Microseconds { hours(24) * count }
  /// A twelfth of a year, as in systemd.time(7).
  public static var month: Microseconds { year / 12 }
  /// 365.25 days, as in systemd.time(7).
  public static var year: Microseconds { hours(8766) }
}

// MARK: Arithmetic

extension Microseconds: Comparable {
  public static func < (left: Microseconds, right: Microseconds) -> Bool { left.count < right.count }

  public static func + (left: Microseconds, right: Microseconds) -> Microseconds {
    let (sum, isBeyond) = left.count.addingReportingOverflow(right.count)
    return isBeyond ? .infinity : Microseconds(sum)
  }

  public static func - (left: Microseconds, right: Microseconds) -> Microseconds {
    left == .infinity ? left : Microseconds(left.count - min(left.count, right.count))
  }

  public static func * (span: Microseconds, factor: UInt64) -> Microseconds {
    let (product, isBeyond) = span.count.multipliedReportingOverflow(by: factor)
    return isBeyond ? .infinity : Microseconds(product)
  }

  /// Rounded down. Traps if `divisor` is 0.
  public static func / (span: Microseconds, divisor: UInt64) -> Microseconds {
    span == .infinity ? span : Microseconds(span.count / divisor)
  }

  /// How many whole `unit`s the span holds: `.seconds(90) / .minutes(1)` is 1. Traps if `unit` is zero.
  public static func / (span: Microseconds, unit: Microseconds) -> UInt64 { span.count / unit.count }

  /// What is left of the span after its whole `unit`s. Traps if `unit` is zero.
  public static func % (span: Microseconds, unit: Microseconds) -> Microseconds {
    Microseconds(span.count % unit.count)
  }

  public static func += (left: inout Microseconds, right: Microseconds) { left = left + right }
  public static func -= (left: inout Microseconds, right: Microseconds) { left = left - right }

  /// How many `unit`s cover the span: `.seconds(90)` takes 2 minutes. Traps if `unit` is zero.
  public func roundedUp(to unit: Microseconds) -> UInt64 {
    count / unit.count + (count % unit.count == 0 ? 0 : 1)
  }
}

// MARK: Real numbers

extension Microseconds {
  /// Rounded down to whole microseconds. Less than nothing, and what is not a number, is ``zero``; more than fits is
  /// ``infinity``. Every real number becomes a span by this rule.
  public init(seconds: Double) { self.init(roundingDown: seconds * 1_000_000) }

  private init(roundingDown microseconds: Double) {
    // 2^64, the first number that does not fit, is exact as a Double.
    self = microseconds >= 0x1p64 ? .infinity : microseconds >= 1 ? Microseconds(UInt64(microseconds)) : .zero
  }

  /// Infinite for ``infinity``.
  public var seconds: Double { self == .infinity ? .infinity : Double(count) / 1_000_000 }

  /// The span times `factor`, rounded as by ``init(seconds:)``.
  public func scaled(by factor: Double) -> Microseconds {
    self == .infinity ? self : Microseconds(roundingDown: Double(count) * factor)
  }

  /// Which part of `whole` the span is: 0.25 for a quarter of it, infinite or not a number if `whole` is zero.
  public func share(of whole: Microseconds) -> Double { Double(count) / Double(whole.count) }
}
