/// A command that the user gives to `podctl top` with a key.
enum TopKey: Equatable {
  case quit
  case suspend
  case order(TopOrder)
  case reverse
  case refresh
  case slower, faster
  case up, down, pageUp, pageDown, home, end
}

/// Decodes the bytes that a terminal sends (ECMA-48; ctlseqs, "PC-Style Function Keys"). Unknown sequences are ignored.
struct TopKeys {
  /// The beginning of a sequence that is not complete yet.
  private var pending: [UInt8] = []

  /// Longer than every known sequence; limits the size of `pending`.
  private static let longest = 8

  mutating func read(_ bytes: some Sequence<UInt8>) -> [TopKey] {
    bytes.compactMap { read($0) }
  }

  private mutating func read(_ byte: UInt8) -> TopKey? {
    guard !pending.isEmpty else {
      if byte == 0x1B {
        pending = [byte]
        return nil
      }
      return Self.plain(byte)
    }
    pending.append(byte)
    if pending.count == 2 {
      // Escape followed by an ordinary key: only that key counts.
      if byte == UInt8(ascii: "[") || byte == UInt8(ascii: "O") { return nil }
      pending = byte == 0x1B ? [byte] : []
      return byte == 0x1B ? nil : Self.plain(byte)
    }
    let isFinal = (0x40...0x7E).contains(byte)
    guard isFinal || pending.count >= Self.longest else { return nil }
    defer { pending = [] }
    return Self.sequence(pending.dropFirst(2))
  }

  private static func plain(_ byte: UInt8) -> TopKey? {
    switch byte {
    // Ctrl-C, Ctrl-D and Ctrl-backslash, then Ctrl-Z: the terminal sends them as bytes (`TopTerminal.enter`).
    case 0x03, 0x04, 0x1C, UInt8(ascii: "q"), UInt8(ascii: "Q"): .quit
    case 0x1A: .suspend
    case UInt8(ascii: "R"): .reverse
    case UInt8(ascii: " "), 0x0C: .refresh
    case UInt8(ascii: "+"): .slower
    case UInt8(ascii: "-"): .faster
    case UInt8(ascii: "k"): .up
    case UInt8(ascii: "j"): .down
    case UInt8(ascii: "g"): .home
    case UInt8(ascii: "G"): .end
    default: TopOrder.allCases.first { $0.key == byte }.map { .order($0) }
    }
  }

  private static func sequence(_ bytes: ArraySlice<UInt8>) -> TopKey? {
    switch String(decoding: bytes, as: UTF8.self) {
    case "A": .up
    case "B": .down
    case "5~": .pageUp
    case "6~": .pageDown
    case "H", "1~", "7~": .home
    case "F", "4~", "8~": .end
    default: nil
    }
  }
}
