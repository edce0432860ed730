extension SettingsValue {
  /// A number of bytes as systemd reads it: `96M`, `1.5G`, `1G 512M` with K M G T P E to the base 1024,
  /// `B` or nothing for bytes.
  public static func bytes(_ text: String) throws(ValueError) -> UInt64 {
    var scanner = NumberScanner(text)
    var total: UInt64 = 0
    // systemd takes each suffix once, from large to small.
    var shiftLimit = 61
    repeat {
      guard let number = scanner.number() else { throw notASize(text) }
      let shift = scanner.suffix(among: sizeSuffixes) ?? 0
      guard shift < shiftLimit, let part = number.scaled(by: 1 << UInt64(shift)) else { throw notASize(text) }
      shiftLimit = shift
      let (sum, overflow) = total.addingReportingOverflow(part)
      guard !overflow, sum < UInt64.max else { throw notASize(text) }
      total = sum
    } while !scanner.isAtEnd
    return total
  }

  /// A limit in bytes; nil is `infinity`.
  public static func size(_ text: String) throws(ValueError) -> UInt64? {
    text == "infinity" ? nil : try bytes(text)
  }

  /// `MemoryMax=` and similar keys: bytes, `infinity`, or a percentage of the physical memory, which systemd
  /// rounds down to whole pages.
  public static func memory(_ text: String, physicalMemory: UInt64) throws(ValueError) -> UInt64? {
    guard text.utf8.last == UInt8(ascii: "%") else { return try size(text) }
    guard let hundredths = hundredthsOfPercent(text.utf8.dropLast()) else {
      throw ValueError("\(quoted(text)) is not a percentage from 0% to 100%")
    }
    let (high, low) = physicalMemory.multipliedFullWidth(by: hundredths)
    return UInt64(10_000).dividingFullWidth((high, low)).quotient & ~4095
  }

  private static let sizeSuffixes: [(String, Int)] = [
    ("E", 60), ("P", 50), ("T", 40), ("G", 30), ("M", 20), ("K", 10), ("B", 0),
  ]

  private static func notASize(_ text: String) -> ValueError {
    ValueError("\(quoted(text)) is not a size; write bytes or a number with K, M, G or T, such as 96M")
  }

  /// `12.5` is 1250: at most two digits after the point, at most 100.
  private static func hundredthsOfPercent(_ text: Substring.UTF8View) -> UInt64? {
    let parts = text.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = parts.first.flatMap({ decimal($0) }), whole <= 100 else { return nil }
    var value = whole * 100
    if parts.count == 2 {
      let digits = parts[1].map { UInt64($0) }
      guard (1...2).contains(digits.count), parts[1].allSatisfy(isDigit) else { return nil }
      let zero = UInt64(UInt8(ascii: "0"))
      value += (digits[0] - zero) * 10 + (digits.count == 2 ? digits[1] - zero : 0)
    }
    return value <= 10_000 ? value : nil
  }
}
