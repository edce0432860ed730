extension JSON {
  /// Parses one value (RFC 8259), nested at most 32 deep; nil for any other text. A lone surrogate becomes U+FFFD.
  public init?(parsing text: String) {
    self.init(bytes: Array(text.utf8), isStrict: false)
  }

  /// Parses one value in which no two programs read different things (I-JSON, RFC 7493): valid UTF-8, no lone surrogate,
  /// no name twice in an object. Nested at most 32 deep; nil for any other text.
  public init?(strictly bytes: [UInt8]) {
    self.init(bytes: bytes, isStrict: true)
  }

  private init?(bytes: [UInt8], isStrict: Bool) {
    var reader = JSONReader(bytes: bytes, isStrict: isStrict)
    guard let value = reader.value(depth: 0), reader.isAtEnd() else { return nil }
    self = value
  }

  /// The value of an object's member; nil if there is none, or if this is not an object.
  public subscript(key: String) -> JSON? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }
}

private struct JSONReader {
  let bytes: [UInt8]
  let isStrict: Bool
  private var position = 0

  init(bytes: [UInt8], isStrict: Bool) {
    self.bytes = bytes
    self.isStrict = isStrict
  }

  mutating func isAtEnd() -> Bool {
    skipSpace()
    return position == bytes.count
  }

  mutating func value(depth: Int) -> JSON? {
    skipSpace()
    guard depth < 32, let byte = peek() else { return nil }
    switch byte {
    case UInt8(ascii: "{"): return object(depth: depth)
    case UInt8(ascii: "["): return array(depth: depth)
    case UInt8(ascii: "\""): return string().map { .string($0) }
    case UInt8(ascii: "t"): return word("true") ? .bool(true) : nil
    case UInt8(ascii: "f"): return word("false") ? .bool(false) : nil
    case UInt8(ascii: "n"): return word("null") ? .null : nil
    default: return number()
    }
  }

  private mutating func object(depth: Int) -> JSON? {
    position += 1
    var members: [(key: String, value: JSON)] = []
    var names = Set<[UInt8]>()
    skipSpace()
    if take("}") { return .object([]) }
    repeat {
      skipSpace()
      guard peek() == UInt8(ascii: "\""), let key = string() else { return nil }
      // As bytes: two strings that Unicode calls equivalent are different names.
      if isStrict, !names.insert(Array(key.utf8)).inserted { return nil }
      skipSpace()
      guard take(":"), let value = value(depth: depth + 1) else { return nil }
      members.append((key, value))
      skipSpace()
    } while take(",")
    return take("}") ? .object(members) : nil
  }

  private mutating func array(depth: Int) -> JSON? {
    position += 1
    var items: [JSON] = []
    skipSpace()
    if take("]") { return .array([]) }
    repeat {
      guard let item = value(depth: depth + 1) else { return nil }
      items.append(item)
      skipSpace()
    } while take(",")
    return take("]") ? .array(items) : nil
  }

  private mutating func string() -> String? {
    position += 1
    var content: [UInt8] = []
    while let byte = next() {
      switch byte {
      case UInt8(ascii: "\""):
        return isStrict
          ? String(validating: content, as: UTF8.self) : String(decoding: content, as: UTF8.self)
      case UInt8(ascii: "\\"): guard escape(into: &content) else { return nil }
      case 0..<0x20: return nil
      default: content.append(byte)
      }
    }
    return nil
  }

  private mutating func escape(into content: inout [UInt8]) -> Bool {
    guard let byte = next() else { return false }
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
    case UInt8(ascii: "b"): content.append(0x08)
    case UInt8(ascii: "f"): content.append(0x0C)
    case UInt8(ascii: "n"): content.append(0x0A)
    case UInt8(ascii: "r"): content.append(0x0D)
    case UInt8(ascii: "t"): content.append(0x09)
    case UInt8(ascii: "u"):
      guard let unit = codeUnit() else { return false }
      var units = [unit]
      // A character beyond U+FFFF is escaped as two code units.
      if UTF16.isLeadSurrogate(unit), bytes[position...].starts(with: [0x5C, 0x75]) {
        let here = position
        position += 2
        guard let second = codeUnit() else { return false }
        if UTF16.isTrailSurrogate(second) { units.append(second) } else { position = here }
      }
      if isStrict, units.count == 1, UTF16.isSurrogate(unit) { return false }
      content += String(decoding: units, as: UTF16.self).utf8
    default: return false
    }
    return true
  }

  private mutating func codeUnit() -> UInt16? {
    var unit: UInt16 = 0
    for _ in 0..<4 {
      guard let byte = next(), let digit = Character(UnicodeScalar(byte)).hexDigitValue else { return nil }
      unit = unit << 4 | UInt16(digit)
    }
    return unit
  }

  private mutating func number() -> JSON? {
    let start = position
    _ = take("-")
    let first = position
    guard digits(), bytes[first] != UInt8(ascii: "0") || position == first + 1 else { return nil }
    var whole = true
    if take(".") {
      whole = false
      guard digits() else { return nil }
    }
    if take("e") || take("E") {
      whole = false
      if !take("+") { _ = take("-") }
      guard digits() else { return nil }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if whole, let number = UInt64(text) { return .uint(number) }
    if whole, let number = Int64(text) { return .int(number) }
    return Double(text).map { .double($0) }
  }

  private mutating func digits() -> Bool {
    let start = position
    while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
    return position > start
  }

  private mutating func word(_ text: String) -> Bool {
    guard bytes[position...].starts(with: text.utf8) else { return false }
    position += text.utf8.count
    return true
  }

  private mutating func skipSpace() {
    while let byte = peek(), [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
  }

  private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func next() -> UInt8? {
    guard let byte = peek() else { return nil }
    position += 1
    return byte
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard peek() == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }
}
