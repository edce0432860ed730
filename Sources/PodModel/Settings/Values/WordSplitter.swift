/// Splits a value into words by the rules of `ExecStart=` and other lists (systemd.syntax(7), "Quoting"):
/// white space separates, quotes join, C escapes are replaced.
///
/// Like systemd's code, and unlike its manual, it accepts quotes in the middle of a word too. An unknown escape, which
/// systemd keeps with a warning, is an error here.
struct WordSplitter {
  static func split(_ value: String) throws(ValueError) -> [String] {
    var splitter = WordSplitter(value)
    var words: [String] = []
    while let word = try splitter.next() { words.append(word.text) }
    return words
  }

  /// A program and its arguments. A lone `;` separates commands in systemd; there is one command here.
  static func command(_ value: String) throws(ValueError) -> [String] {
    var splitter = WordSplitter(value)
    var words: [String] = []
    while let word = try splitter.next() {
      switch word.source {
      case ";": throw ValueError("one command only; write \\; to pass a semicolon as an argument")
      case "\\;": words.append(";")
      default: words.append(word.text)
      }
    }
    return words
  }

  private struct Word {
    var text: String
    /// As written, so that `;` and `";"` differ.
    var source: String
  }

  private let bytes: [UInt8]
  private var index = 0

  private init(_ value: String) {
    bytes = Array(value.utf8)
  }

  private mutating func next() throws(ValueError) -> Word? {
    while index < bytes.count, isWhiteSpace(bytes[index]) { index += 1 }
    guard index < bytes.count else { return nil }
    let start = index
    // Only a command has this escape, and only as a word of its own; any other \; is an unknown escape.
    if bytes[index...].starts(with: [0x5C, 0x3B]),
      index + 2 == bytes.count || isWhiteSpace(bytes[index + 2])
    {
      index += 2
      return Word(text: "\\;", source: "\\;")
    }
    var word: [UInt8] = []
    var quote: UInt8?
    while index < bytes.count {
      let byte = bytes[index]
      if quote == nil, isWhiteSpace(byte) { break }
      index += 1
      switch byte {
      case UInt8(ascii: "\\"): word += try escape()
      case UInt8(ascii: "\""), UInt8(ascii: "'"):
        if quote == nil {
          quote = byte
        } else if quote == byte {
          quote = nil
        } else {
          word.append(byte)
        }
      default: word.append(byte)
      }
    }
    guard quote == nil else { throw ValueError("a quote is opened and not closed") }
    guard let text = String(validating: word, as: UTF8.self) else {
      throw ValueError("escapes make a word that is not UTF-8")
    }
    return Word(text: text, source: String(decoding: bytes[start..<index], as: UTF8.self))
  }

  /// The bytes that the escape after a backslash stands for; moves `index` past it.
  private mutating func escape() throws(ValueError) -> [UInt8] {
    guard index < bytes.count else { throw ValueError("it ends in a lone backslash; write \\\\") }
    let letter = bytes[index]
    switch letter {
    case UInt8(ascii: "x"): return [UInt8(truncatingIfNeeded: try number(after: 1, digits: 2, radix: 16))]
    case UInt8(ascii: "u"): return try scalar(try number(after: 1, digits: 4, radix: 16))
    case UInt8(ascii: "U"): return try scalar(try number(after: 1, digits: 8, radix: 16))
    case UInt8(ascii: "0")...UInt8(ascii: "7"):
      let value = try number(after: 0, digits: 3, radix: 8)
      guard let byte = UInt8(exactly: value) else {
        throw ValueError("the escape \\\(String(value, radix: 8)) is above \\377")
      }
      return [byte]
    default:
      guard let byte = Self.simpleEscapes[letter] else {
        let shown = String(validating: [letter], as: UTF8.self) ?? ""
        throw ValueError("unknown escape \(quoted("\\" + shown)); write \\\\ for a backslash")
      }
      index += 1
      return [byte]
    }
  }

  private static let simpleEscapes: [UInt8: UInt8] = [
    UInt8(ascii: "a"): 0x07, UInt8(ascii: "b"): 0x08, UInt8(ascii: "f"): 0x0C, UInt8(ascii: "n"): 0x0A,
    UInt8(ascii: "r"): 0x0D, UInt8(ascii: "t"): 0x09, UInt8(ascii: "v"): 0x0B, UInt8(ascii: "s"): 0x20,
    UInt8(ascii: "\\"): 0x5C, UInt8(ascii: "\""): 0x22, UInt8(ascii: "'"): 0x27,
  ]

  /// The value of `digits` digits, `offset` bytes from here. Zero is refused: no argument can hold a NUL.
  private mutating func number(
    after offset: Int, digits: Int, radix: UInt32
  ) throws(ValueError) -> UInt32 {
    let start = index + offset
    guard start + digits <= bytes.count else { throw ValueError("an escape is cut off") }
    var value: UInt32 = 0
    for byte in bytes[start..<(start + digits)] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue.map(UInt32.init), digit < radix else {
        throw ValueError("an escape needs \(digits) digits of base \(radix)")
      }
      // Eight hexadecimal digits fill 32 bits exactly.
      value = value &* radix &+ digit
    }
    guard value != 0 else { throw ValueError("an escape stands for NUL, which no argument can hold") }
    index = start + digits
    return value
  }

  private func scalar(_ value: UInt32) throws(ValueError) -> [UInt8] {
    guard let scalar = Unicode.Scalar(value) else {
      throw ValueError(
        "an escape names U+\(String(value, radix: 16, uppercase: true)), which is no character")
    }
    return Array(String(Character(scalar)).utf8)
  }
}
