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

  struct Field: Sendable {
    let name: Range<Int>
    let value: Range<Int>
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
    fields.filter { matches($0.name, name) }.map { bytes[$0.value] }
  }

  /// The value of a field that may occur once.
  /// - Throws: 400 when it occurs more often, because another hop may use another one.
  public func value(of name: String) throws(HTTPError) -> ArraySlice<UInt8>? {
    let all = values(of: name)
    guard all.count <= 1 else { throw HTTPError(400, "The header field \(name) occurs more than once.") }
    return all.first
  }

  /// The comma-separated elements of a list field, lower-cased.
  func tokens(of name: String) -> [String] {
    values(of: name).flatMap { $0.split(separator: UInt8(ascii: ",")) }
      .map { String(decoding: trimmed($0).map(lowercased), as: UTF8.self) }
  }

  private func matches(_ range: Range<Int>, _ name: String) -> Bool {
    name.utf8.count == range.count && zip(bytes[range], name.utf8).allSatisfy { lowercased($0) == $1 }
  }
}

func lowercased(_ byte: UInt8) -> UInt8 {
  (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
}

func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

func trimmed(_ slice: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
  var slice = slice
  while let first = slice.first, isBlank(first) { slice.removeFirst() }
  while let last = slice.last, isBlank(last) { slice.removeLast() }
  return slice
}
