/// A number's digits, filled up with zeros on the left to at least `width`.
public func padded(
  _ number: some BinaryInteger, toWidth width: Int, radix: Int = 10, uppercase: Bool = false
) -> String {
  let digits = String(number, radix: radix, uppercase: uppercase)
  return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}
