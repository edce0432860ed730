func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

/// Decimal digits without sign or leading zero; nil for anything else, and for more than 64 bits.
func decimal(_ digits: some Collection<UInt8>) -> UInt64? {
  guard let first = digits.first, first != UInt8(ascii: "0") || digits.count == 1 else { return nil }
  var value: UInt64 = 0
  for byte in digits {
    guard isDigit(byte) else { return nil }
    let (product, overflow) = value.multipliedReportingOverflow(by: 10)
    let (sum, carry) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
    guard !overflow, !carry else { return nil }
    value = sum
  }
  return value
}
