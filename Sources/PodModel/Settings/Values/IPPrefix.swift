/// An address range of `IPAddressAllow=`, in the form systemd's D-Bus property takes: family, bytes, length.
public struct IPPrefix: Hashable, Sendable, CustomStringConvertible {
  /// Numbered as AF_INET and AF_INET6.
  public enum Family: Int32, Sendable {
    case inet = 2
    case inet6 = 10
  }

  public let family: Family
  /// 4 or 16 bytes in network order; the bits beyond the prefix are zero.
  public let address: [UInt8]
  /// 0–32 or 0–128 bits.
  public let length: Int

  /// Reads `10.0.0.0/8`, `192.0.2.1`, `2001:db8::/32`. Bits beyond the prefix are cleared, as systemd does.
  public init(parsing text: String) throws(ValueError) {
    let parts = text.utf8.split(
      separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = parts.first, let (family, bytes) = Self.address(first) else {
      throw ValueError(
        "\(quoted(text)) is not an IP address, a prefix such as 10.0.0.0/8, "
          + "or one of any, localhost, link-local, multicast")
    }
    let bits = bytes.count * 8
    var length = bits
    if parts.count == 2 {
      guard let given = decimal(parts[1]), given <= UInt64(bits) else {
        throw ValueError("\(quoted(text)) has a prefix length that is not a number from 0 to \(bits)")
      }
      length = Int(given)
    }
    self.init(family: family, address: bytes, length: length)
  }

  /// The ranges that one word of `IPAddressAllow=` stands for (systemd.resource-control(5)).
  public static func expand(_ word: String) throws(ValueError) -> [IPPrefix] {
    let v6Loopback = [UInt8](repeating: 0, count: 15) + [1]
    switch word {
    case "any":
      return [
        IPPrefix(family: .inet, address: [0, 0, 0, 0], length: 0),
        IPPrefix(family: .inet6, address: [UInt8](repeating: 0, count: 16), length: 0),
      ]
    case "localhost":
      return [
        IPPrefix(family: .inet, address: [127, 0, 0, 0], length: 8),
        IPPrefix(family: .inet6, address: v6Loopback, length: 128),
      ]
    case "link-local":
      return [
        IPPrefix(family: .inet, address: [169, 254, 0, 0], length: 16),
        IPPrefix(family: .inet6, address: v6(0xFE, 0x80), length: 64),
      ]
    case "multicast":
      return [
        IPPrefix(family: .inet, address: [224, 0, 0, 0], length: 4),
        IPPrefix(family: .inet6, address: v6(0xFF, 0), length: 8),
      ]
    default: return [try IPPrefix(parsing: word)]
    }
  }

  public var description: String {
    switch family {
    case .inet:
      return address.map { String($0) }.joined(separator: ".") + "/\(length)"
    case .inet6:
      let groups = stride(from: 0, to: 16, by: 2).map { index in
        String(Int(address[index]) << 8 | Int(address[index + 1]), radix: 16)
      }
      return groups.joined(separator: ":") + "/\(length)"
    }
  }

  /// Whether an address, in network order and of the same family, lies in it.
  public func contains(_ other: [UInt8]) -> Bool {
    other.count == address.count
      && IPPrefix(family: family, address: other, length: length).address == address
  }

  private init(family: Family, address: [UInt8], length: Int) {
    self.family = family
    self.length = length
    self.address = address.enumerated().map { index, byte in
      byte & ~UInt8(truncatingIfNeeded: 0xFF >> max(0, length - index * 8))
    }
  }

  private static func v6(_ first: UInt8, _ second: UInt8) -> [UInt8] {
    [first, second] + [UInt8](repeating: 0, count: 14)
  }

  private static func address(_ text: Substring.UTF8View) -> (Family, [UInt8])? {
    if text.contains(UInt8(ascii: ":")) { return inet6(text).map { (.inet6, $0) } }
    return inet(text).map { (.inet, $0) }
  }

  /// Four decimal numbers without leading zeros, as inet_pton(3) takes them.
  private static func inet(_ text: Substring.UTF8View) -> [UInt8]? {
    let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    let bytes = parts.compactMap { decimal($0).flatMap(UInt8.init(exactly:)) }
    return bytes.count == 4 ? bytes : nil
  }

  /// RFC 4291, section 2.2: eight groups; `::` once for one or more groups of zero; the last two groups may
  /// be written as an IPv4 address. A zone is refused: systemd's property cannot hold one.
  private static func inet6(_ text: Substring.UTF8View) -> [UInt8]? {
    var halves: [[UInt8]] = [[]]
    var parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)[...]
    // A colon at the start or the end belongs to "::", which gives one empty part too many there.
    if text.first == UInt8(ascii: ":") {
      guard text.starts(with: "::".utf8) else { return nil }
      parts = parts.dropFirst()
    }
    if text.last == UInt8(ascii: ":") {
      guard text.reversed().starts(with: "::".utf8) else { return nil }
      parts = parts.dropLast()
    }
    if parts.isEmpty { return nil }
    for (offset, part) in parts.enumerated() {
      if part.isEmpty {
        guard halves.count == 1 else { return nil }
        halves.append([])
      } else if offset == parts.count - 1, part.contains(UInt8(ascii: ".")) {
        guard let bytes = inet(part) else { return nil }
        halves[halves.count - 1] += bytes
      } else {
        guard part.count <= 4, let group = hexadecimal(part) else { return nil }
        halves[halves.count - 1] += [UInt8(group >> 8), UInt8(group & 0xFF)]
      }
    }
    if halves.count == 1 { return halves[0].count == 16 ? halves[0] : nil }
    let missing = 16 - halves[0].count - halves[1].count
    guard missing >= 2 else { return nil }
    return halves[0] + [UInt8](repeating: 0, count: missing) + halves[1]
  }

  private static func hexadecimal(_ digits: Substring.UTF8View) -> UInt16? {
    var value: UInt16 = 0
    for byte in digits {
      guard byte < 0x80, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
      value = value << 4 | UInt16(digit)
    }
    return value
  }
}
