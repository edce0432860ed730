/// The `key=value` pairs of a request's query, decoded (`%XX`, and `+` for a blank).
public struct Query: Sendable {
  private var pairs: [(key: [UInt8], value: [UInt8])] = []

  /// - Throws: 400 for a bad percent-encoding, and for a key that occurs twice: a proxy in front may
  ///   use the other one.
  public init(_ text: ArraySlice<UInt8>?) throws(HTTPError) {
    guard let text else { return }
    for pair in text.split(separator: UInt8(ascii: "&")) {
      let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
      let key = try percentDecoded(pair[..<equals], plusIsBlank: true)
      guard self[key] == nil else { throw HTTPError(400, "A query parameter occurs more than once.") }
      pairs.append((key, try percentDecoded(pair[equals...].dropFirst(), plusIsBlank: true)))
    }
  }

  /// The decoded value, empty for a key without `=`; nil when the key does not occur.
  public subscript(key: String) -> [UInt8]? { self[Array(key.utf8)] }

  private subscript(key: [UInt8]) -> [UInt8]? { pairs.first { $0.key == key }?.value }
}

/// The bytes that `text` stands for (RFC 3986, 2.1).
/// - Parameter plusIsBlank: As in a query; in a path, `+` stands for itself.
/// - Throws: 400 for a percent sign without two hexadecimal digits.
public func percentDecoded(_ text: ArraySlice<UInt8>, plusIsBlank: Bool) throws(HTTPError) -> [UInt8] {
  var result: [UInt8] = []
  result.reserveCapacity(text.count)
  var rest = text
  while let byte = rest.popFirst() {
    switch byte {
    case UInt8(ascii: "+") where plusIsBlank:
      result.append(0x20)
    case UInt8(ascii: "%"):
      guard let high = rest.popFirst().flatMap(hexadecimalDigit),
        let low = rest.popFirst().flatMap(hexadecimalDigit)
      else { throw HTTPError(400, "A percent sign is not followed by two hexadecimal digits.") }
      result.append(UInt8(high << 4 | low))
    default:
      result.append(byte)
    }
  }
  return result
}
