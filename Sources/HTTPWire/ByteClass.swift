/// Which bytes belong to a class, for a class of ASCII characters: one bit for each.
struct ByteClass: Sendable {
  private let low: UInt64
  private let high: UInt64

  init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }

  @inline(__always) func contains(_ byte: UInt8) -> Bool {
    guard byte < 128 else { return false }
    return (byte < 64 ? low : high) >> UInt64(byte & 63) & 1 == 1
  }

  /// A character of a token (RFC 9110, 5.6.2): letters, digits and `!#$%&'*+-.^_` and a backtick, `|`, `~`.
  static let token = ByteClass(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)
}

/// The first byte from `start` on, before `end`, that is a control character (below 0x20, or DEL); `end` if there is none.
/// Eight bytes are examined at once.
@inline(__always) func firstControl(in bytes: RawSpan, from start: Int, to end: Int) -> Int {
  let ones: UInt64 = 0x0101_0101_0101_0101
  var index = start
  while index + 8 <= end {
    let word = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
    let deleted = word ^ (ones &* 0x7F)
    // The high bit of a byte is set where it is below 0x20, or where `deleted` is 0. Above the lowest such byte, a
    // borrow may set others.
    let isLow = (word &- (ones &* 0x20)) & ~word
    let isDelete = (deleted &- ones) & ~deleted
    let found = (isLow | isDelete) & (ones &* 0x80)
    if found != 0 { return index + found.trailingZeroBitCount / 8 }
    index += 8
  }
  while index < end {
    let byte = bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)
    if byte < 0x20 || byte == 0x7F { return index }
    index += 1
  }
  return end
}
