/// base64url without padding (RFC 7515, 2), in which each sequence of bytes has exactly one spelling.
enum Base64URL {
  /// Nil for any other text: padding, another alphabet, blanks, or a last character with bits that stand for nothing.
  static func decode(_ text: Span<UInt8>) -> [UInt8]? {
    let rest = text.count % 4
    guard rest != 1 else { return nil }
    var isGood = true
    let size = text.count / 4 * 3 + (rest == 0 ? 0 : rest - 1)
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      var bits: UInt32 = 0
      var held = 0
      for index in text.indices {
        let value = values[Int(text[index])]
        // A value that is no character has its high bit set; one check at the end is enough.
        isGood = isGood && value < 64
        bits = bits << 6 | UInt32(value & 63)
        held += 6
        if held >= 8 {
          held -= 8
          buffer[count] = UInt8(truncatingIfNeeded: bits >> UInt32(held))
          count += 1
        }
      }
      isGood = isGood && bits & (1 << UInt32(held) - 1) == 0
    }
    return isGood ? bytes : nil
  }

  static func encode(_ bytes: [UInt8]) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 4 / 3 + 3)
    var bits: UInt32 = 0
    var held = 0
    for byte in bytes {
      bits = bits << 8 | UInt32(byte)
      held += 8
      while held >= 6 {
        held -= 6
        text.append(alphabet[Int(bits >> UInt32(held) & 63)])
      }
    }
    if held > 0 { text.append(alphabet[Int(bits << UInt32(6 - held) & 63)]) }
    return text
  }

  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

  /// What each byte stands for; 255 for a byte that is not in the alphabet.
  private static let values: [UInt8] = {
    var values = [UInt8](repeating: 255, count: 256)
    for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
    return values
  }()
}
