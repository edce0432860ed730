/// A JSON value (RFC 8259), as far as the users file needs it.
///
/// podserve has a reader of its own, because PodAPI's needs libsystemd and says only whether a text is JSON.
/// This one tells an administrator the line and the mistake, and limits the size of a users file.
public enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  /// A whole number that fits 64 bits, written without fraction or exponent.
  case integer(Int)
  /// Any other number; its text is checked and dropped.
  case number
  case string(String)
  case array([JSONValue])
  /// In the order of the text, which matters when two are compared.
  case object([Member])

  /// A name with its value. No two of an object have the same name.
  public struct Member: Equatable, Sendable {
    /// Unescaped.
    public let key: String
    public let value: JSONValue
  }
}

extension [JSONValue.Member] {
  subscript(key: String) -> JSONValue? { first { $0.key == key }?.value }
}

/// Where and why a text is not the expected JSON.
public struct JSONError: Error, Equatable, Sendable {
  /// Counted from 1.
  public let line: Int
  public let reason: String
}

/// A strict reader: UTF-8 only, no comments, no trailing commas, no key twice, nesting of 16
/// and 256 keys an object at most.
public struct JSONParser {
  private static let maximumDepth = 16
  private static let maximumKeys = 256
  private let bytes: [UInt8]
  private var position = 0

  private init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  public static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
    var parser = JSONParser(bytes)
    let value = try parser.value(depth: 0)
    parser.skipBlanks()
    guard parser.position == bytes.count else { throw parser.error("Text after the end of the value") }
    return value
  }

  private func error(_ reason: String) -> JSONError {
    JSONError(line: 1 + bytes[..<min(position, bytes.count)].count { $0 == 0x0A }, reason: reason)
  }

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipBlanks() {
    while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private mutating func accept(_ character: Unicode.Scalar) -> Bool {
    guard current == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(JSONError) {
    guard accept(character) else { throw error("Expected '\(character)'") }
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    guard depth < Self.maximumDepth else { throw error("Nested deeper than \(Self.maximumDepth)") }
    skipBlanks()
    switch current {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func word(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
    guard bytes[position...].starts(with: word.utf8) else { throw error("Expected a value") }
    position += word.utf8.count
    return value
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
    try expect("{")
    var members: [JSONValue.Member] = []
    skipBlanks()
    if accept("}") { return .object(members) }
    repeat {
      skipBlanks()
      let key = try string()
      skipBlanks()
      try expect(":")
      let value = try value(depth: depth + 1)
      guard members[key] == nil else { throw error("A key occurs twice") }
      guard members.count < Self.maximumKeys else { throw error("More than \(Self.maximumKeys) keys") }
      members.append(JSONValue.Member(key: key, value: value))
      skipBlanks()
    } while accept(",")
    try expect("}")
    return .object(members)
  }

  private mutating func array(depth: Int) throws(JSONError) -> JSONValue {
    try expect("[")
    var elements: [JSONValue] = []
    skipBlanks()
    if accept("]") { return .array(elements) }
    repeat {
      elements.append(try value(depth: depth + 1))
      skipBlanks()
    } while accept(",")
    try expect("]")
    return .array(elements)
  }

  private mutating func digits() throws(JSONError) -> ArraySlice<UInt8> {
    let start = position
    while let byte = current, (0x30...0x39).contains(byte) { position += 1 }
    guard position > start else { throw error("Expected a value") }
    return bytes[start..<position]
  }

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = position
    _ = accept("-")
    let whole = try digits()
    guard whole.count == 1 || whole.first != 0x30 else { throw error("A number with a leading zero") }
    var isWhole = true
    if accept(".") {
      isWhole = false
      _ = try digits()
    }
    if accept("e") || accept("E") {
      isWhole = false
      if !accept("+") { _ = accept("-") }
      _ = try digits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    return isWhole ? Int(text).map(JSONValue.integer) ?? .number : .number
  }

  private mutating func string() throws(JSONError) -> String {
    try expect("\"")
    var text: [UInt8] = []
    while let byte = current {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        let string = String(decoding: text, as: UTF8.self)
        guard string.utf8.elementsEqual(text) else { throw error("A string is not UTF-8") }
        return string
      case UInt8(ascii: "\\"): text += Array(String(try escape()).utf8)
      case 0..<0x20: throw error("A control character in a string")
      default: text.append(byte)
      }
    }
    throw error("A string without end")
  }

  private mutating func escape() throws(JSONError) -> Unicode.Scalar {
    guard let byte = current else { throw error("A string without end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): return try unicodeEscape()
    default: throw error("An unknown escape in a string")
    }
  }

  private mutating func unicodeEscape() throws(JSONError) -> Unicode.Scalar {
    let first = try fourDigits()
    if let scalar = Unicode.Scalar(first) { return scalar }
    guard (0xD800..<0xDC00).contains(first), accept("\\"), accept("u") else {
      throw error("Half of a surrogate pair")
    }
    let second = try fourDigits()
    guard (0xDC00..<0xE000).contains(second),
      let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    else { throw error("Half of a surrogate pair") }
    return scalar
  }

  private mutating func fourDigits() throws(JSONError) -> UInt32 {
    let text = String(decoding: bytes[position...].prefix(4), as: UTF8.self)
    guard text.utf8.count == 4, text.utf8.allSatisfy({ $0 != 0x2B && $0 != 0x2D }),
      let number = UInt32(text, radix: 16)
    else { throw error("\\u needs four hexadecimal digits") }
    position += 4
    return number
  }
}
