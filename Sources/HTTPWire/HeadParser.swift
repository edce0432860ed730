/// Finds the end of a request's head in a growing buffer, then checks and parses it.
///
/// Strict where laxness has been used to smuggle requests past a proxy: lines end with CRLF only, no folded
/// lines, no blank before a colon, never Content-Length together with Transfer-Encoding (RFC 9112, 2.2, 5.1,
/// 5.2, 6.1, 6.3). Every byte is examined once, however the input is cut.
public struct HeadParser: Sendable {
  public struct Limits: Sendable {
    /// Bytes of the request line; more is 414.
    public var requestLine = 8192
    /// Bytes of the request line and all fields; more is 431.
    public var head = 32768
    /// Number of fields; more is 431.
    public var fields = 100

    public init() {}
  }

  private let limits: Limits
  private var start = 0
  private var scanned = 0
  private var lineStart = 0
  private var lines: [Range<Int>] = []

  public init(limits: Limits = Limits()) {
    self.limits = limits
  }

  /// Continues with `bytes`, which begins with the first byte of the request and has only grown since the
  /// last call. After a result or an error, the parser cannot be used again.
  /// - Returns: The head and its length in bytes, or nil when it is not complete.
  /// - Throws: 400, 414, 417, 431, 501 or 505; the connection cannot be used any further.
  public mutating func parse(_ bytes: Span<UInt8>) throws(HTTPError) -> (head: RequestHead, length: Int)? {
    while scanned < bytes.count {
      let index = scanned
      scanned += 1
      if index - start >= limits.head {
        throw HTTPError(431, "The request's head is longer than \(limits.head) bytes.")
      }
      if lines.isEmpty, index - lineStart >= limits.requestLine + 2 {
        throw HTTPError(414, "The request line is longer than \(limits.requestLine) bytes.")
      }
      let previous = index > lineStart ? bytes[index - 1] : 0
      if bytes[index] != 0x0A {
        if previous == 0x0D { throw HTTPError(400, "A carriage return without a line feed.") }
        continue
      }
      guard previous == 0x0D else { throw HTTPError(400, "A line feed without a carriage return.") }
      let line = lineStart..<index - 1
      lineStart = index + 1
      if line.isEmpty {
        if !lines.isEmpty { return (try takeApart(bytes), index + 1) }
        // RFC 9112, 2.2: one empty line before the request is ignored.
        guard start == 0 else { throw HTTPError(400, "Empty lines before the request.") }
        start = index + 1
      } else {
        if lines.isEmpty, line.count > limits.requestLine {
          throw HTTPError(414, "The request line is longer than \(limits.requestLine) bytes.")
        }
        guard lines.count <= limits.fields else {
          throw HTTPError(431, "More than \(limits.fields) header fields.")
        }
        lines.append(line)
      }
    }
    return nil
  }

  private func takeApart(_ span: Span<UInt8>) throws(HTTPError) -> RequestHead {
    let bytes = [UInt8](unsafeUninitializedCapacity: lineStart) { buffer, count in
      for index in 0..<lineStart { buffer[index] = span[index] }
      count = lineStart
    }
    var head = try requestLine(bytes, lines[0], fields: fields(bytes))
    try RequestRules.apply(to: &head)
    return head
  }

  private func requestLine(_ bytes: [UInt8], _ line: Range<Int>, fields: [RequestHead.Field])
    throws(HTTPError)
    -> RequestHead
  {
    let parts = bytes[line].split(separator: 0x20, omittingEmptySubsequences: false)
    guard parts.count == 3, !parts[0].isEmpty, !parts[1].isEmpty, parts[0].allSatisfy(isToken) else {
      throw HTTPError(400, "The request line is not METHOD TARGET VERSION.")
    }
    let minorVersion = try minorVersion(parts[2])
    guard parts[1].allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "#") }) else {
      throw HTTPError(400, "The target holds a character that must be percent-encoded.")
    }
    let target = try originForm(parts[1])
    let mark = target.firstIndex(of: UInt8(ascii: "?"))
    return RequestHead(
      method: String(decoding: parts[0], as: UTF8.self),
      path: String(decoding: target[..<(mark ?? target.endIndex)], as: UTF8.self),
      minorVersion: minorVersion, keepsAlive: minorVersion == 1, bytes: bytes,
      queryRange: mark.map { $0 + 1..<target.endIndex }, fields: fields)
  }

  private func minorVersion(_ text: ArraySlice<UInt8>) throws(HTTPError) -> Int {
    let version = Array(text)
    let isDigit = { (byte: UInt8) in (0x30...0x39).contains(byte) }
    guard version.count == 8, version.starts(with: "HTTP/".utf8), version[6] == UInt8(ascii: "."),
      isDigit(version[5]), isDigit(version[7])
    else { throw HTTPError(400, "The request line is not METHOD TARGET VERSION.") }
    guard version[5] == UInt8(ascii: "1") else {
      throw HTTPError(505, "Only HTTP/1.0 and HTTP/1.1 are served.")
    }
    return version[7] == UInt8(ascii: "0") ? 0 : 1
  }

  /// RFC 9112, 3.2.2: a server accepts `http://host/path` too.
  private func originForm(_ target: ArraySlice<UInt8>) throws(HTTPError) -> ArraySlice<UInt8> {
    if target.first == UInt8(ascii: "/") || target.elementsEqual("*".utf8) { return target }
    let scheme = "http://"
    guard target.prefix(scheme.utf8.count).map(lowercased) == Array(scheme.utf8),
      let slash = target.dropFirst(scheme.utf8.count).firstIndex(of: UInt8(ascii: "/"))
    else { throw HTTPError(400, "The target is not a path.") }
    return target[slash...]
  }

  private func fields(_ bytes: [UInt8]) throws(HTTPError) -> [RequestHead.Field] {
    var fields: [RequestHead.Field] = []
    fields.reserveCapacity(lines.count - 1)
    for line in lines.dropFirst() {
      let text = bytes[line]
      guard let colon = text.firstIndex(of: UInt8(ascii: ":")), colon > line.lowerBound,
        text[..<colon].allSatisfy(isToken)
      else { throw HTTPError(400, "A header line is not NAME: VALUE.") }
      let value = trimmed(text[(colon + 1)...])
      guard value.allSatisfy({ $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7F) }) else {
        throw HTTPError(400, "A header field holds a control character.")
      }
      fields.append(.init(name: line.lowerBound..<colon, value: value.startIndex..<value.endIndex))
    }
    return fields
  }
}

/// RFC 9110, 5.6.2.
func isToken(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"):
    true
  default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
  }
}
