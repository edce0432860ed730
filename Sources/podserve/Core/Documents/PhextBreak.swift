/// The characters that part scrolls, by level: scroll, section, chapter, book, volume, collection, series,
/// shelf, library (libphext, phext.rs).
enum PhextBreak {
  static let characters: [UInt8] = [0x17, 0x18, 0x19, 0x1A, 0x1C, 0x1D, 0x1E, 0x1F, 0x01]

  /// The level of a break character, nil for any other byte.
  @inline(__always)
  static func level(of byte: UInt8) -> Int? {
    switch byte {
    case 0x17...0x1A: Int(byte) - 0x17
    case 0x1C...0x1F: Int(byte) - 0x18
    case 0x01: 8
    default: nil
    }
  }

  /// The fewest breaks that lead from one scroll to a later one.
  static func between(_ start: Coordinate, _ end: Coordinate) -> [UInt8] {
    var result: [UInt8] = []
    var position = start
    for level in (0..<Coordinate.levels).reversed() {
      while position[level] < end[level], let next = position.past(breakOf: level) {
        result.append(characters[level])
        position = next
      }
    }
    return result
  }
}
