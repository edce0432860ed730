extension SettingsValue {
  /// A time span in microseconds as systemd reads it (systemd.time(7)): `10s`, `5min 20s`, `1.5h`,
  /// `infinity` (the largest number), a bare number is seconds.
  public static func timeSpan(_ text: String) throws(ValueError) -> UInt64 {
    if text == "infinity" { return .max }
    var scanner = NumberScanner(text)
    var total: UInt64 = 0
    repeat {
      guard let number = scanner.number() else { throw notATimeSpan(text) }
      let unit = scanner.suffix(among: timeUnits) ?? 1_000_000
      guard let part = number.scaled(by: unit) else { throw notATimeSpan(text) }
      let (sum, overflow) = total.addingReportingOverflow(part)
      guard !overflow, sum < UInt64.max else { throw notATimeSpan(text) }
      total = sum
    } while !scanner.isAtEnd
    return total
  }

  /// A time span that must pass before something happens again: `infinity` and less than a millisecond
  /// are refused: with the first it would never happen, with the second without a pause.
  public static func interval(_ text: String) throws(ValueError) -> UInt64 {
    let span = try timeSpan(text)
    guard (1000...longestInterval).contains(span) else {
      throw ValueError("\(quoted(text)) is not a time span from 1ms to 10y")
    }
    return span
  }

  /// Ten years, in microseconds, so that sums of time spans do not overflow.
  private static let longestInterval: UInt64 = 315_576_000_000_000

  /// A pause before something is done again; 0 means at once.
  public static func pause(_ text: String) throws(ValueError) -> UInt64 {
    let span = try timeSpan(text)
    return span == 0 ? 0 : try interval(text)
  }

  /// A timeout as systemd takes it: `0` and `infinity` both mean none, which is the largest number.
  public static func timeout(_ text: String) throws(ValueError) -> UInt64 {
    let span = try timeSpan(text)
    return span == 0 ? .max : span
  }

  /// An idle time: `0` and `infinity` both mean never, which is 0.
  public static func idle(_ text: String) throws(ValueError) -> UInt64 {
    let span = try timeSpan(text)
    return span == .max ? 0 : span
  }

  /// Longest first, so that `min` is not read as `m`. A month is a twelfth of 365.25 days, as in systemd.
  private static let timeUnits: [(String, UInt64)] = [
    ("seconds", 1_000_000), ("minutes", 60_000_000), ("second", 1_000_000), ("minute", 60_000_000),
    ("months", 2_629_800_000_000), ("month", 2_629_800_000_000), ("hours", 3_600_000_000),
    ("weeks", 604_800_000_000), ("years", 31_557_600_000_000), ("hour", 3_600_000_000),
    ("days", 86_400_000_000), ("week", 604_800_000_000), ("year", 31_557_600_000_000),
    ("msec", 1000), ("usec", 1), ("sec", 1_000_000), ("min", 60_000_000), ("day", 86_400_000_000),
    ("µs", 1), ("μs", 1), ("ms", 1000), ("us", 1), ("hr", 3_600_000_000), ("s", 1_000_000),
    ("m", 60_000_000), ("h", 3_600_000_000), ("d", 86_400_000_000), ("w", 604_800_000_000),
    ("M", 2_629_800_000_000), ("y", 31_557_600_000_000),
  ]

  private static func notATimeSpan(_ text: String) -> ValueError {
    ValueError("\(quoted(text)) is not a time span, such as 10s, 5min 20s or 1h")
  }
}
