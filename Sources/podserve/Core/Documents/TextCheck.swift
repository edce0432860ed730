/// Checks text that arrives in parts: UTF-8 (SQ cannot read a document that is not) without phext's breaks
/// (they would move every later scroll).
public struct TextCheck: Sendable {
  private var needed = 0
  private var bounds: ClosedRange<UInt8> = 0x80...0xBF

  public init() {}

  public mutating func check(_ bytes: Span<UInt8>) throws(StorageError) {
    for index in bytes.indices { try check(bytes[index]) }
  }

  /// The text ends here.
  public func finish() throws(StorageError) {
    if needed > 0 { throw Self.notUTF8 }
  }

  private mutating func check(_ byte: UInt8) throws(StorageError) {
    if needed > 0 {
      guard bounds.contains(byte) else { throw Self.notUTF8 }
      needed -= 1
      bounds = 0x80...0xBF
      return
    }
    // RFC 3629, 4: the second byte's bounds keep out overlong forms, surrogates and beyond U+10FFFF.
    switch byte {
    case 0..<0x20:
      guard PhextBreak.level(of: byte) == nil else {
        throw .badText("The text holds a phext break character; write each scroll at its own coordinate.")
      }
    case 0x20..<0x80: break
    case 0xC2...0xDF: needed = 1
    case 0xE0: (needed, bounds) = (2, 0xA0...0xBF)
    case 0xED: (needed, bounds) = (2, 0x80...0x9F)
    case 0xE1...0xEF: needed = 2
    case 0xF0: (needed, bounds) = (3, 0x90...0xBF)
    case 0xF1...0xF3: needed = 3
    case 0xF4: (needed, bounds) = (3, 0x80...0x8F)
    default: throw Self.notUTF8
    }
  }

  private static let notUTF8 = StorageError.badText("The text is not UTF-8.")
}
