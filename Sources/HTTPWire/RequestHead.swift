/// The request line and header fields of one HTTP/1 request, checked (RFC 9112).
public struct RequestHead: Sendable {
  /// How the end of the request's body is found (RFC 9112, 6.3).
  public enum Framing: Equatable, Sendable {
    /// Neither Content-Length nor Transfer-Encoding: no body.
    case none
    /// Content-Length, in bytes.
    case length(Int)
    case chunked
  }

  /// Positions in `bytes`.
  struct Field: Sendable {
    let name: UInt32
    let nameEnd: UInt32
    let value: UInt32
    let end: UInt32
  }

  /// The method as it was sent; methods are case-sensitive.
  public let method: String
  /// The path of the target, still percent-encoded; begins with `/`, or is `*`.
  public let path: String
  /// 0 or 1: the minor version of HTTP/1.x.
  public let minorVersion: Int
  public internal(set) var framing = Framing.none
  /// Whether the client allows another request on this connection.
  public internal(set) var keepsAlive: Bool
  /// Whether the client waits for `100 Continue` before it sends the body.
  public internal(set) var expectsContinue = false

  let bytes: [UInt8]
  let queryRange: Range<Int>?
  let fields: [Field]

  /// What follows the first `?` of the target, still percent-encoded.
  public var query: ArraySlice<UInt8>? { queryRange.map { bytes[$0] } }

  /// The values of every field of that name, in order, without surrounding blanks. `name` is lower-case.
  public func values(of name: String) -> [ArraySlice<UInt8>] {
    var values: [ArraySlice<UInt8>] = []
    forEach(name) { values.append($0) }
    return values
  }

  /// The value of a field that may occur once. `name` is lower-case.
  /// - Throws: 400 when it occurs more often, because another hop may use another one.
  public func value(of name: String) throws(HTTPError) -> ArraySlice<UInt8>? {
    var text = name
    let (first, second) = text.withUTF8 { name in
      let first = field(name, from: 0)
      return (first, first.flatMap { field(name, from: $0 + 1) })
    }
    guard second == nil else { throw HTTPError(400, "The header field \(name) occurs more than once.") }
    return first.map { value(fields[$0]) }
  }

  /// How many fields have that name, which is lower-case.
  func count(of name: String) -> Int {
    var count = 0
    forEach(name) { _ in count += 1 }
    return count
  }

  /// Whether a list field has an element, in any case. Name and element are lower-case.
  func list(_ name: String, has element: String) -> Bool {
    var found = false
    forEach(name) { value in
      var rest = value
      while !found {
        let comma = rest.firstIndex(of: UInt8(ascii: ",")) ?? rest.endIndex
        let candidate = trimmed(rest[..<comma])
        found =
          candidate.count == element.utf8.count
          && zip(candidate, element.utf8).allSatisfy { lowercased($0) == $1 }
        guard comma < rest.endIndex else { break }
        rest = rest[(comma + 1)...]
      }
    }
    return found
  }

  private func forEach(_ name: String, _ body: (ArraySlice<UInt8>) -> Void) {
    var text = name
    text.withUTF8 { name in
      var next = field(name, from: 0)
      while let index = next {
        body(value(fields[index]))
        next = field(name, from: index + 1)
      }
    }
  }

  private func value(_ field: Field) -> ArraySlice<UInt8> { bytes[Int(field.value)..<Int(field.end)] }

  /// The first field of that name from a position in `fields` on.
  private func field(_ name: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
    let bytes = bytes.span
    for index in start..<fields.count {
      let field = fields[index]
      guard Int(field.nameEnd &- field.name) == name.count else { continue }
      // From the end, where names with the same length differ: many begin with "x-".
      var rest = name.count
      while rest > 0, lowercased(bytes[Int(field.name) + rest - 1]) == name[rest - 1] { rest -= 1 }
      if rest == 0 { return index }
    }
    return nil
  }
}

/// The byte, in lower case if it is a letter of ASCII.
public func lowercased(_ byte: UInt8) -> UInt8 {
  (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
}

func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

/// Without the blanks and tabs at both ends (OWS of RFC 9110, 5.6.3).
public func trimmed(_ slice: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
  var slice = slice
  while let first = slice.first, isBlank(first) { slice.removeFirst() }
  while let last = slice.last, isBlank(last) { slice.removeLast() }
  return slice
}
