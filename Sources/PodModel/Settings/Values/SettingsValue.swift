public import Time

/// The parsers of single values. Each accepts what systemd's parser of the same kind accepts, unless its comment says
/// otherwise. The reader of files has removed white space at both ends.
public enum SettingsValue {
  /// `1 yes y true t on`, `0 no n false f off`, in any case (systemd's parse_boolean()).
  public static func boolean(_ text: String) throws(ValueError) -> Bool {
    switch text.lowercased() {
    case "1", "yes", "y", "true", "t", "on": return true
    case "0", "no", "n", "false", "f", "off": return false
    default: throw ValueError("\(quoted(text)) is neither yes nor no")
    }
  }

  /// A decimal number within `range`. A leading zero or sign is refused, because systemd would read
  /// `010` as octal.
  public static func integer(_ text: String, in range: ClosedRange<Int>) throws(ValueError) -> Int {
    guard let value = decimal(text.utf8).flatMap(Int.init(exactly:)), range.contains(value) else {
      throw ValueError(
        "\(quoted(text)) is not a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  /// A limit of a count: a number from 1, or `infinity`, which is nil.
  public static func count(_ text: String) throws(ValueError) -> UInt64? {
    if text == "infinity" { return nil }
    guard let value = decimal(text.utf8), value > 0, value < UInt64.max else {
      throw ValueError("\(quoted(text)) is neither a whole number from 1 nor infinity")
    }
    return value
  }

  /// A weight of `CPUWeight=` or `IOWeight=`: 1–10000.
  public static func weight(_ text: String) throws(ValueError) -> UInt64 {
    UInt64(try integer(text, in: 1...10000))
  }

  /// `CPUWeight=`: 1–10000, or `idle`, which is 0 as in systemd's D-Bus property (systemd 252).
  public static func cpuWeight(_ text: String) throws(ValueError) -> UInt64 {
    text == "idle" ? 0 : try weight(text)
  }

  /// `CPUQuota=`: CPU time per second; `50%` is half a second. A fraction of a percent is refused: systemd
  /// rounds it when it writes the unit file (facts 9).
  public static func cpuQuota(_ text: String) throws(ValueError) -> Microseconds {
    guard text.utf8.last == UInt8(ascii: "%"), let percent = decimal(text.utf8.dropLast()),
      (1...1_000_000).contains(percent)
    else {
      throw ValueError("\(quoted(text)) is not a whole percentage such as 50% (200% is two CPUs)")
    }
    return .milliseconds(10) * percent
  }

  /// A range of ports, `FIRST-LAST`. Ports below 1024 belong to the host.
  public static func portRange(_ text: String) throws(ValueError) -> ClosedRange<Int> {
    let ends = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard ends.count == 2, let first = decimal(ends[0]), let last = decimal(ends[1]),
      first >= 1024, last <= 65535, first <= last
    else {
      throw ValueError("\(quoted(text)) is not a range of ports FIRST-LAST within 1024-65535")
    }
    return Int(first)...Int(last)
  }

  /// The name of a tier, which becomes part of `pods-TIER.slice`: 1–32 of `[a-z0-9_]`. A dash would make
  /// systemd nest the slice in another (systemd.slice(5)).
  public static func tierName(_ text: String) throws(ValueError) -> String {
    guard isName(text, extra: "_") else {
      throw ValueError("\(quoted(text)) is not a tier name: 1 to 32 of a-z, 0-9 and _")
    }
    return text
  }

  /// The name of a workload: 1–32 of `[a-z0-9_-]`.
  public static func workloadName(_ text: String) throws(ValueError) -> String {
    guard isName(text, extra: "_-") else {
      throw ValueError("\(quoted(text)) is not a workload name: 1 to 32 of a-z, 0-9, _ and -")
    }
    return text
  }

  private static func isName(_ text: String, extra: String) -> Bool {
    (1...32).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || isDigit(byte) || extra.utf8.contains(byte)
      }
  }
}
