/// The path of a request target in its only accepted spelling.
///
/// A proxy in front decides by the path that it has decoded and normalised, and sends the one that the client wrote; the
/// program behind it may normalise again. So a path that any of them could read as another one is refused: with a spelling
/// left, `/api/./v2//%72eload` is `/api/v2/reload` to one of them.
public struct CanonicalPath: Hashable, Sendable {
  /// Without the query. Letters in percent-encodings are upper-case.
  public let bytes: [UInt8]

  /// The longest request target; more is 414.
  public static let maximumBytes = 8192

  /// - Parameter target: As the client sent it, in origin form: a path, and a query if there is one.
  public init(target: Span<UInt8>) throws(PathError) {
    guard target.count <= Self.maximumBytes else { throw .tooLong }
    guard target.count > 0, target[0] == UInt8(ascii: "/") else { throw .notAPath }
    var path: [UInt8] = []
    path.reserveCapacity(target.count)
    // What a percent-encoding stands for, in the place of its three bytes.
    var decoded: [UInt8] = []
    var isQuery = false
    var index = 0
    while index < target.count {
      let byte = target[index]
      guard (0x21...0x7E).contains(byte), byte != UInt8(ascii: "#") else { throw .character }
      if isQuery {
        index += 1
        continue
      }
      switch byte {
      case UInt8(ascii: "?"):
        isQuery = true
      case UInt8(ascii: "\\"), UInt8(ascii: ";"):
        throw .character
      case UInt8(ascii: "%"):
        guard index + 2 < target.count, let high = hexadecimal(target[index + 1]),
          let low = hexadecimal(target[index + 2])
        else { throw .encoding }
        let value = high << 4 | low
        guard Self.mayBeEncoded(value) else { throw .encoded }
        if value == UInt8(ascii: "%") {
          // Decoded twice it would be something else.
          guard
            index + 4 >= target.count || hexadecimal(target[index + 3]) == nil
              || hexadecimal(target[index + 4]) == nil
          else { throw .encoded }
        }
        path += [byte, uppercased(target[index + 1]), uppercased(target[index + 2])]
        decoded.append(value)
        index += 2
      default:
        path.append(byte)
        decoded.append(byte)
      }
      index += 1
    }
    // Overlong encodings are no UTF-8: %C0%AF would be a slash to a careless program.
    guard decoded.count == path.count || String(validating: decoded, as: UTF8.self) != nil else {
      throw .encoding
    }
    guard Self.segmentsAreNames(path) else { throw .segments }
    bytes = path
  }

  /// Neither what needs no encoding (RFC 3986, 2.3), nor what separates segments or ends a text.
  private static func mayBeEncoded(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "~"), UInt8(ascii: "/"), UInt8(ascii: "\\"), UInt8(ascii: ";"), 0..<0x20, 0x7F:
      false
    default: true
    }
  }

  /// No segment is empty, but for the last one, and none is `.` or `..`.
  private static func segmentsAreNames(_ path: [UInt8]) -> Bool {
    var start = 1
    for end in 1...path.count where end == path.count || path[end] == UInt8(ascii: "/") {
      let isDots = (1...2).contains(end - start) && path[start..<end].allSatisfy { $0 == UInt8(ascii: ".") }
      guard !isDots, end > start || end == path.count else { return false }
      start = end + 1
    }
    return true
  }

  /// Whether the path begins with `prefix`, also within a segment, whatever the case of its letters: a program's filter
  /// may be as lax as that.
  public func begins(with prefix: CanonicalPath) -> Bool {
    bytes.count >= prefix.bytes.count
      && zip(bytes, prefix.bytes).allSatisfy { uppercased($0) == uppercased($1) }
  }
}

/// Why a request target is refused.
public enum PathError: String, Error, Sendable, CaseIterable, CustomStringConvertible {
  case tooLong = "the target is longer than 8192 bytes"
  case notAPath = "the target does not begin with a slash"
  case character = "the target has a character that a path must not have: encode it, or leave it out"
  case encoding = "a percent sign is not followed by two hexadecimal digits, or the path is not UTF-8"
  case encoded = "the path encodes a character that must not be encoded"
  case segments = "the path has an empty segment, or one of '.' or '..'"

  public var description: String { rawValue }
}

private func hexadecimal(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - 0x30
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - 0x57
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - 0x37
  default: nil
  }
}

private func uppercased(_ byte: UInt8) -> UInt8 {
  (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) ? byte & ~0x20 : byte
}
