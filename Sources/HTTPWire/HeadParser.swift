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
  /// Where the lines end, each followed by CRLF. The first one begins at `start`.
  private var ends: [UInt32] = []
  /// A control character that is not a part of a line's end has been seen.
  private var hasControls = false

  public init(limits: Limits = Limits()) {
    self.limits = limits
  }

  /// Continues with `bytes`, which begins with the first byte of the request and has only grown since the
  /// last call. After a result or an error, the parser cannot be used again.
  /// - Returns: The head and its length in bytes, or nil when it is not complete.
  /// - Throws: 400, 414, 417, 431, 501 or 505; the connection cannot be used any further.
  public mutating func parse(_ bytes: Span<UInt8>) throws(HTTPError) -> (head: RequestHead, length: Int)? {
    while scanned < bytes.count {
      skipText(bytes)
      guard scanned < bytes.count else { return nil }
      let index = scanned
      scanned += 1
      if index - start >= limits.head {
        throw HTTPError(431, "The request's head is longer than \(limits.head) bytes.")
      }
      if ends.isEmpty, index - lineStart >= limits.requestLine + 2 {
        throw HTTPError(414, "The request line is longer than \(limits.requestLine) bytes.")
      }
      let previous = index > lineStart ? bytes[index - 1] : 0
      let byte = bytes[index]
      if byte != 0x0A {
        if previous == 0x0D { throw HTTPError(400, "A carriage return without a line feed.") }
        hasControls = hasControls || byte != 0x0D
        continue
      }
      guard previous == 0x0D else { throw HTTPError(400, "A line feed without a carriage return.") }
      if try endLine(at: index - 1) { return (try takeApart(bytes), index + 1) }
    }
    return nil
  }

  /// Skips what ends no line and breaks no limit.
  private mutating func skipText(_ bytes: Span<UInt8>) {
    guard scanned == lineStart || bytes[scanned - 1] != 0x0D else { return }
    var end = min(bytes.count, start + limits.head)
    if ends.isEmpty { end = min(end, lineStart + limits.requestLine + 2) }
    if scanned < end { scanned = firstControl(in: bytes.bytes, from: scanned, to: end) }
  }

  /// Takes note of a line that ends with CRLF at `end`. True if it is the empty one after the head.
  private mutating func endLine(at end: Int) throws(HTTPError) -> Bool {
    let count = end - lineStart
    lineStart = end + 2
    if count == 0 {
      if !ends.isEmpty { return true }
      // RFC 9112, 2.2: one empty line before the request is ignored.
      guard start == 0 else { throw HTTPError(400, "Empty lines before the request.") }
      start = lineStart
      return false
    }
    if ends.isEmpty {
      guard count <= limits.requestLine else {
        throw HTTPError(414, "The request line is longer than \(limits.requestLine) bytes.")
      }
      ends.reserveCapacity(24)
    }
    guard ends.count <= limits.fields else {
      throw HTTPError(431, "More than \(limits.fields) header fields.")
    }
    ends.append(UInt32(end))
    return false
  }

  private func takeApart(_ span: Span<UInt8>) throws(HTTPError) -> RequestHead {
    let size = lineStart
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      span.withUnsafeBufferPointer { _ = buffer.initialize(fromContentsOf: $0[..<size]) }
      count = size
    }
    let fields = try fields(bytes.span)
    var head = try requestLine(bytes, fields: fields)
    try RequestRules.apply(to: &head)
    return head
  }

  private func requestLine(_ bytes: [UInt8], fields: [RequestHead.Field]) throws(HTTPError) -> RequestHead {
    let text = bytes.span
    let end = Int(ends[0])
    var methodEnd = start
    while methodEnd < end, ByteClass.token.contains(text[methodEnd]) { methodEnd += 1 }
    let targetStart = methodEnd + 1
    var targetEnd = targetStart
    while targetEnd < end, text[targetEnd] != 0x20 { targetEnd += 1 }
    guard methodEnd > start, targetEnd > targetStart, targetEnd < end, text[methodEnd] == 0x20 else {
      throw HTTPError(400, "The request line is not METHOD TARGET VERSION.")
    }
    let minorVersion = try minorVersion(text.extracting(targetEnd + 1..<end))
    var pathEnd = targetEnd
    for index in targetStart..<targetEnd {
      let byte = text[index]
      guard byte > 0x20, byte != 0x7F, byte != UInt8(ascii: "#") else {
        throw HTTPError(400, "The target holds a character that must be percent-encoded.")
      }
      if byte == UInt8(ascii: "?"), pathEnd == targetEnd { pathEnd = index }
    }
    let pathStart = try pathStart(text, targetStart..<targetEnd, queryMark: pathEnd)
    return RequestHead(
      method: String(decoding: bytes[start..<methodEnd], as: UTF8.self),
      path: String(decoding: bytes[pathStart..<pathEnd], as: UTF8.self),
      minorVersion: minorVersion, keepsAlive: minorVersion == 1, bytes: bytes,
      queryRange: pathEnd < targetEnd ? pathEnd + 1..<targetEnd : nil, fields: fields)
  }

  private func minorVersion(_ version: Span<UInt8>) throws(HTTPError) -> Int {
    let isDigit = { (byte: UInt8) in (0x30...0x39).contains(byte) }
    guard version.count == 8, version[0] == UInt8(ascii: "H"), version[1] == UInt8(ascii: "T"),
      version[2] == UInt8(ascii: "T"), version[3] == UInt8(ascii: "P"), version[4] == UInt8(ascii: "/"),
      version[6] == UInt8(ascii: "."), isDigit(version[5]), isDigit(version[7])
    else { throw HTTPError(400, "The request line is not METHOD TARGET VERSION.") }
    guard version[5] == UInt8(ascii: "1") else {
      throw HTTPError(505, "Only HTTP/1.0 and HTTP/1.1 are served.")
    }
    return version[7] == UInt8(ascii: "0") ? 0 : 1
  }

  /// Where the path begins in a target. RFC 9112, 3.2.2: a server accepts `http://host/path` too.
  private func pathStart(_ text: Span<UInt8>, _ target: Range<Int>, queryMark: Int) throws(HTTPError) -> Int {
    let first = text[target.lowerBound]
    if first == UInt8(ascii: "/") || (first == UInt8(ascii: "*") && target.count == 1) {
      return target.lowerBound
    }
    let hostStart = target.lowerBound + Self.scheme.count
    var isAbsolute = queryMark >= hostStart
    for (index, byte) in Self.scheme.enumerated() where isAbsolute {
      isAbsolute = lowercased(text[target.lowerBound + index]) == byte
    }
    var slash = hostStart
    while isAbsolute, slash < queryMark, text[slash] != UInt8(ascii: "/") { slash += 1 }
    guard isAbsolute, slash < queryMark else { throw HTTPError(400, "The target is not a path.") }
    return slash
  }

  private static let scheme = Array("http://".utf8)

  private func fields(_ text: Span<UInt8>) throws(HTTPError) -> [RequestHead.Field] {
    var fields: [RequestHead.Field] = []
    fields.reserveCapacity(ends.count - 1)
    for number in 1..<ends.count {
      let name = Int(ends[number - 1]) + 2
      var end = Int(ends[number])
      var colon = name
      while colon < end, ByteClass.token.contains(text[colon]) { colon += 1 }
      guard colon > name, colon < end, text[colon] == UInt8(ascii: ":") else {
        throw HTTPError(400, "A header line is not NAME: VALUE.")
      }
      var value = colon + 1
      while value < end, isBlank(text[value]) { value += 1 }
      while end > value, isBlank(text[end - 1]) { end -= 1 }
      if hasControls {
        for index in value..<end where text[index] != 0x09 {
          guard text[index] >= 0x20, text[index] != 0x7F else {
            throw HTTPError(400, "A header field holds a control character.")
          }
        }
      }
      fields.append(.init(name: UInt32(name), nameEnd: UInt32(colon), value: UInt32(value), end: UInt32(end)))
    }
    return fields
  }
}
