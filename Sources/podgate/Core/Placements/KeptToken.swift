/// A pod's token for a user, as podgate remembers it for many users: those that podd makes are 256 random bits in
/// hexadecimal digits, and as bits they need a third of the memory.
enum KeptToken {
  case bits(InlineArray<4, UInt64>)
  /// Any other text.
  case text([UInt8])

  private static let digits = Array("0123456789abcdef".utf8)

  init(_ token: String) {
    let text = Array(token.utf8)
    var words: InlineArray<4, UInt64> = [0, 0, 0, 0]
    guard text.count == 64 else {
      self = .text(text)
      return
    }
    for (index, byte) in text.enumerated() {
      let value: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = byte - UInt8(ascii: "a") + 10
      default:
        self = .text(text)
        return
      }
      words[index / 16] = words[index / 16] << 4 | UInt64(value)
    }
    self = .bits(words)
  }

  /// At least as many bytes as ``append(to:)`` needs.
  var count: Int {
    switch self {
    case .bits: 64
    case .text(let text): text.count
    }
  }

  func append(to bytes: inout [UInt8]) {
    switch self {
    case .text(let text): bytes += text
    case .bits(let words):
      for number in words.indices {
        for shift in stride(from: 60, through: 0, by: -4) {
          bytes.append(Self.digits[Int(words[number] >> UInt64(shift) & 15)])
        }
      }
    }
  }
}
