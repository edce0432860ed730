extension SettingsValue {
  /// The name of a cookie (RFC 6265, 4.1.1).
  public static func cookieName(_ text: String) throws(ValueError) -> String {
    let separators = "()<>@,;:\\\"/[]?={}".utf8
    guard !text.isEmpty, text.utf8.count <= 64,
      text.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !separators.contains($0) })
    else { throw ValueError("\(quoted(text)) cannot be the name of a cookie") }
    return text
  }

  /// An origin, in the one form in which browsers send it (RFC 6454, 6.2): anything else would never be equal to one.
  public static func origin(_ text: String) throws(ValueError) -> String {
    let bytes = text.utf8
    guard let scheme = ["https://", "http://"].first(where: { bytes.starts(with: $0.utf8) }),
      case let authority = bytes.dropFirst(scheme.utf8.count), isAuthority(authority, of: scheme)
    else {
      throw ValueError(
        "\(quoted(text)) is no origin; write https://HOST or https://HOST:PORT in lower case, without a path, and without the port if it is the scheme's own"
      )
    }
    return text
  }

  private static func isAuthority(_ text: Substring.UTF8View, of scheme: String) -> Bool {
    let isBracketed = text.first == UInt8(ascii: "[")
    let end =
      isBracketed
      ? text.firstIndex(of: UInt8(ascii: "]")).map(text.index(after:))
      : text.firstIndex(of: UInt8(ascii: ":")) ?? text.endIndex
    guard let end else { return false }
    let host = text[..<end].filter { !isBracketed || ![UInt8(ascii: "["), UInt8(ascii: "]")].contains($0) }
    let isHost = host.allSatisfy { byte in
      isBracketed
        ? isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte) || byte == UInt8(ascii: ":")
        : isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
          || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
    }
    guard isHost, !host.isEmpty, host.count <= 253 else { return false }
    guard end < text.endIndex else { return true }
    let port = text[end...].dropFirst()
    guard text[end] == UInt8(ascii: ":"), port.first != UInt8(ascii: "0"), let number = decimal(port) else {
      return false
    }
    return (1...65535).contains(number) && number != (scheme == "https://" ? 443 : 80)
  }
}
