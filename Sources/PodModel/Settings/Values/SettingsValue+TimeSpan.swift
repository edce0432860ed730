public import Time

extension SettingsValue {
  /// A time span as systemd reads it (systemd.time(7)): `10s`, `5min 20s`, `1.5h`, `infinity`; a bare number
  /// is seconds.
  public static func timeSpan(_ text: String) throws(ValueError) -> Microseconds {
    if text == "infinity" { return .infinity }
    var scanner = NumberScanner(text)
    var total = Microseconds.zero
    repeat {
      guard let number = scanner.number() else { throw notATimeSpan(text) }
      let unit = scanner.suffix(among: timeUnits) ?? .seconds(1)
      guard let part = number.scaled(by: unit.count) else { throw notATimeSpan(text) }
      total += Microseconds(part)
      // A number that does not fit is a mistake, and no way to write infinity.
      guard total < .infinity else { throw notATimeSpan(text) }
    } while !scanner.isAtEnd
    return total
  }

  /// A time span that must pass before something happens again: `infinity` and less than a millisecond
  /// are refused: with the first it would never happen, with the second without a pause.
  public static func interval(_ text: String) throws(ValueError) -> Microseconds {
    let span = try timeSpan(text)
    guard (.milliseconds(1)...longestInterval).contains(span) else {
      throw ValueError("\(quoted(text)) is not a time span from 1ms to 10y")
    }
    return span
  }

  /// Ten years.
  private static let longestInterval = Microseconds.year * 10

  /// A pause before something is done again; 0 means at once.
  public static func pause(_ text: String) throws(ValueError) -> Microseconds {
    let span = try timeSpan(text)
    return span == .zero ? .zero : try interval(text)
  }

  /// A timeout as systemd takes it: `0` and `infinity` both mean none, which is infinite.
  public static func timeout(_ text: String) throws(ValueError) -> Microseconds {
    let span = try timeSpan(text)
    return span == .zero ? .infinity : span
  }

  /// An idle time: `0` and `infinity` both mean never, which is zero.
  public static func idle(_ text: String) throws(ValueError) -> Microseconds {
    let span = try timeSpan(text)
    return span == .infinity ? .zero : span
  }

  /// Longest first, so that `min` is not read as `m`.
  private static let timeUnits: [(String, Microseconds)] = [
    ("seconds", .seconds(1)), ("minutes", .minutes(1)), ("second", .seconds(1)), ("minute", .minutes(1)),
    ("months", .month), ("month", .month), ("hours", .hours(1)), ("weeks", .days(7)), ("years", .year),
    ("hour", .hours(1)), ("days", .days(1)), ("week", .days(7)), ("year", .year),
    ("msec", .milliseconds(1)), ("usec", Microseconds(1)), ("sec", .seconds(1)), ("min", .minutes(1)),
    ("day", .days(1)), ("µs", Microseconds(1)), ("μs", Microseconds(1)), ("ms", .milliseconds(1)),
    ("us", Microseconds(1)), ("hr", .hours(1)), ("s", .seconds(1)), ("m", .minutes(1)), ("h", .hours(1)),
    ("d", .days(1)), ("w", .days(7)), ("M", .month), ("y", .year),
  ]

  private static func notATimeSpan(_ text: String) -> ValueError {
    ValueError("\(quoted(text)) is not a time span, such as 10s, 5min 20s or 1h")
  }
}
