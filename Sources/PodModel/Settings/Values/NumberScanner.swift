/// Reads the numbers with suffixes that sizes and time spans are made of: `1.5G 512M`, `5min 20s`.
struct NumberScanner {
  /// An exact decimal fraction: `whole` + `fraction` / `divisor`.
  struct Number {
    var whole: UInt64 = 0
    var fraction: UInt64 = 0
    var divisor: UInt64 = 1

    /// The number times `factor`, rounded down; nil when it does not fit.
    func scaled(by factor: UInt64) -> UInt64? {
      let (product, overflow) = whole.multipliedReportingOverflow(by: factor)
      // fraction < divisor, so the quotient is less than the factor.
      let part = divisor.dividingFullWidth(fraction.multipliedFullWidth(by: factor)).quotient
      let (sum, carry) = product.addingReportingOverflow(part)
      return overflow || carry ? nil : sum
    }
  }

  private let bytes: [UInt8]
  private var index = 0

  init(_ text: String) {
    bytes = Array(text.utf8)
  }

  /// Whether only white space is left.
  var isAtEnd: Bool { bytes[index...].allSatisfy(isWhiteSpace) }

  /// The next number; nil if there is none or it does not fit. `.5` is a number and `5.` is
  /// not, as in systemd's time spans.
  mutating func number() -> Number? {
    skipWhiteSpace()
    let start = index
    var number = Number()
    while index < bytes.count, isDigit(bytes[index]) {
      let (product, overflow) = number.whole.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(UInt64(bytes[index] - UInt8(ascii: "0")))
      guard !overflow, !carry else { return nil }
      number.whole = sum
      index += 1
    }
    if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
      index += 1
      guard index < bytes.count, isDigit(bytes[index]) else { return nil }
      while index < bytes.count, isDigit(bytes[index]) {
        // Digits beyond a billionth make no difference to a size or a time span.
        if number.divisor < 1_000_000_000 {
          number.fraction = number.fraction * 10 + UInt64(bytes[index] - UInt8(ascii: "0"))
          number.divisor *= 10
        }
        index += 1
      }
      // `12.34.56` is a typing error, not two numbers.
      guard index == bytes.count || bytes[index] != UInt8(ascii: ".") else { return nil }
    }
    return index > start ? number : nil
  }

  /// The value of the suffix that comes next, with or without white space before it.
  mutating func suffix<Value>(among table: [(String, Value)]) -> Value? {
    skipWhiteSpace()
    for (suffix, value) in table where bytes[index...].starts(with: suffix.utf8) {
      index += suffix.utf8.count
      return value
    }
    return nil
  }

  private mutating func skipWhiteSpace() {
    while index < bytes.count, isWhiteSpace(bytes[index]) { index += 1 }
  }
}
