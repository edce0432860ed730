/// Where a scroll stands in a phext document: nine indices of 1–99, the library first.
///
/// libphext names them `library.shelf.series/collection.volume.book/chapter.section.scroll`. Its walker
/// stops counting at 99 (`COORDINATE_MAXIMUM` is exclusive there), so 100 could be written, never reached.
public struct Coordinate: Hashable, Comparable, Sendable {
  /// Number of indices, and of break characters.
  public static let levels = 9
  public static let maximum = 99

  /// Seven bits an index, the library highest: comparing coordinates is comparing numbers.
  private var packed: UInt64

  /// 1.1.1/1.1.1/1.1.1, where every document begins.
  public static let origin = Coordinate(packed: (0..<levels).reduce(0) { $0 | 1 << (7 * UInt64($1)) })

  private init(packed: UInt64) {
    self.packed = packed
  }

  /// Reads `L.S.S/C.V.B/C.S.S`; `;` may stand for `/`, as in libphext's URLs.
  public init?(_ text: some Sequence<UInt8>) {
    var numbers = [0]
    var digits = 0
    for byte in text {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        digits += 1
        guard digits <= 3 else { return nil }
        numbers[numbers.count - 1] = numbers[numbers.count - 1] * 10 + Int(byte) - 0x30
      case UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: ";"):
        let endsArm = numbers.count % 3 == 0
        guard endsArm != (byte == UInt8(ascii: ".")), digits > 0, numbers.count < Self.levels else {
          return nil
        }
        numbers.append(0)
        digits = 0
      default:
        return nil
      }
    }
    guard numbers.count == Self.levels, digits > 0, numbers.allSatisfy((1...Self.maximum).contains) else {
      return nil
    }
    self.init(packed: numbers.reduce(0) { $0 << 7 | UInt64($1) })
  }

  /// The index at a level: 0 is the scroll, 8 the library.
  public subscript(level: Int) -> Int { Int(packed >> (7 * UInt64(level)) & 0x7F) }

  public static func < (left: Coordinate, right: Coordinate) -> Bool { left.packed < right.packed }

  /// Where the text after a break of that level stands; nil beyond 99.
  func past(breakOf level: Int) -> Coordinate? {
    guard self[level] < Self.maximum else { return nil }
    let shift = 7 * UInt64(level)
    let higher = (packed >> shift + 1) << shift
    let lower = Self.origin.packed & (1 << shift - 1)
    return Coordinate(packed: higher | lower)
  }
}

extension Coordinate: CustomStringConvertible {
  public var description: String {
    var text = ""
    for level in (0..<Self.levels).reversed() {
      text += "\(self[level])"
      if level > 0 { text += level % 3 == 0 ? "/" : "." }
    }
    return text
  }
}
