internal import Time

/// Why a trace cannot be replayed; podctl prepends the file's name.
public struct MemoryTraceError: Error, Equatable, CustomStringConvertible {
  /// From 1.
  public let line: Int
  public let message: String

  public var description: String { "\(line): \(message)" }
}

/// Reads a trace of one pod's memory line by line: CSV with the header
/// `time_s,anon,swap,file,current,active_users` in any order and among other columns (podctl-leak-replay(1)).
///
/// Numbers may have decimals, and fields may be quoted. Equal times are accepted, because two samples may fall into one
/// whole second; times that run backwards are refused. Blank lines are skipped.
public struct MemoryTrace: Sendable {
  public static let columns = ["time_s", "anon", "swap", "file", "current", "active_users"]
  /// The longest line, in bytes, that is accepted: a longer one is not a trace.
  public static let longestLine = 65_536

  public private(set) var line = 0
  public private(set) var samples = 0
  /// For each field of a row its index in `columns`, or nil.
  private var fields: [Int?] = []
  private var lastTime = LoopTime.zero

  public init() {}

  /// Reads the next line, given without its line feed. Returns nil for the header and for blank lines.
  public mutating func read(_ bytes: UnsafeBufferPointer<UInt8>) throws(MemoryTraceError) -> MemorySample? {
    guard bytes.count <= Self.longestLine else { throw nextLineIsTooLong }
    line += 1
    var text = bytes[...]
    while let last = text.last, isBlank(last) { text.removeLast() }
    if line == 1, text.starts(with: [0xEF, 0xBB, 0xBF]) { text.removeFirst(3) }
    guard !text.isEmpty else { return nil }
    guard !fields.isEmpty else {
      try readHeader(text)
      return nil
    }
    return try readRow(text)
  }

  /// The error for a reader that stops at a line that is too long instead of buffering it.
  public var nextLineIsTooLong: MemoryTraceError {
    MemoryTraceError(line: line + 1, message: "the line is longer than \(Self.longestLine) bytes")
  }

  /// Must be called after the last line: a trace without samples is refused.
  public func finish() throws(MemoryTraceError) {
    guard !fields.isEmpty else {
      throw MemoryTraceError(line: max(line, 1), message: "the header is missing: \(Self.header)")
    }
    guard samples > 0 else {
      throw MemoryTraceError(line: max(line, 1), message: "no samples follow the header")
    }
  }

  static var header: String { columns.joined(separator: ",") }

  private mutating func readHeader(_ text: Slice<UnsafeBufferPointer<UInt8>>) throws(MemoryTraceError) {
    var found: [Int?] = []
    for raw in text.split(separator: comma, omittingEmptySubsequences: false) {
      let name = String(decoding: trimmed(raw), as: UTF8.self)
      let column = Self.columns.firstIndex(of: name)
      if let column, found.contains(column) { throw error("the column \(name) is there twice") }
      found.append(column)
    }
    let missing = Self.columns.indices.filter { !found.contains($0) }.map { Self.columns[$0] }
    guard missing.count < Self.columns.count else {
      throw error("this is no header; the first line names the columns: \(Self.header)")
    }
    guard missing.isEmpty else {
      throw error("missing column\(missing.count == 1 ? "" : "s") \(missing.joined(separator: ", "))")
    }
    fields = found
  }

  private mutating func readRow(
    _ text: Slice<UnsafeBufferPointer<UInt8>>
  ) throws(MemoryTraceError) -> MemorySample {
    var values: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0)
    var field = 0
    var start = text.startIndex
    while start <= text.endIndex {
      let end = text[start...].firstIndex(of: comma) ?? text.endIndex
      guard field < fields.count else { throw wrongWidth(text) }
      if let column = fields[field] {
        let value = try number(trimmed(text[start..<end]), column)
        switch column {
        case 0: values.0 = value
        case 1: values.1 = value
        case 2: values.2 = value
        case 3: values.3 = value
        case 4: values.4 = value
        default: values.5 = value
        }
      }
      field += 1
      start = end + 1
    }
    guard field == fields.count else { throw wrongWidth(text) }
    let time = LoopTime(sinceBoot: Microseconds(values.0))
    guard samples == 0 || time >= lastTime else {
      throw error("time_s runs backwards: \(seconds(time)) after \(seconds(lastTime))")
    }
    lastTime = time
    samples += 1
    return MemorySample(
      at: time, anon: values.1, swap: values.2, file: values.3, current: values.4,
      activeUsers: Int(values.5))
  }

  private func wrongWidth(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> MemoryTraceError {
    let found = text.count { $0 == comma } + 1
    return error("\(found) field\(found == 1 ? "" : "s") where the header has \(fields.count)")
  }

  /// Parses a number without sign or exponent. A time becomes whole microseconds; other columns lose their
  /// decimals.
  private func number(
    _ text: Slice<UnsafeBufferPointer<UInt8>>, _ column: Int
  ) throws(MemoryTraceError) -> UInt64 {
    let isTime = column == 0
    var whole: UInt64 = 0
    var fraction: UInt64 = 0
    var unit: UInt64 = 1_000_000
    var digits = 0
    var sawPoint = false
    for byte in text {
      if byte == UInt8(ascii: "."), !sawPoint {
        sawPoint = true
        continue
      }
      guard isDigit(byte) else { throw notANumber(text, column) }
      let digit = UInt64(byte - UInt8(ascii: "0"))
      digits += 1
      if sawPoint {
        unit /= 10
        fraction += digit * unit
      } else {
        whole = whole * 10 + digit
        // The bound is above what any machine has and far below an overflow.
        guard whole <= Self.largest(column) else {
          throw error("\(Self.columns[column]): \(quoted(text)) is too large")
        }
      }
    }
    guard digits > 0 else { throw notANumber(text, column) }
    return isTime ? whole * 1_000_000 + fraction : whole
  }

  /// Upper bounds: about 300,000 years (in µs they fit into 64 bits), one billion users, one exbibyte.
  private static func largest(_ column: Int) -> UInt64 {
    switch column {
    case 0: 9_000_000_000_000
    case 5: 1_000_000_000
    default: 1 << 60
    }
  }

  private func notANumber(_ text: Slice<UnsafeBufferPointer<UInt8>>, _ column: Int) -> MemoryTraceError {
    let name = Self.columns[column]
    if text.isEmpty { return error("\(name) is empty") }
    if text.first == UInt8(ascii: "-") { return error("\(name): \(quoted(text)) is negative or no number") }
    if text.contains(where: { $0 | 0x20 == UInt8(ascii: "e") }), text.first.map(isDigit) ?? false {
      return error("\(name): \(quoted(text)) is no plain number; write it without an exponent")
    }
    return error("\(name): \(quoted(text)) is not a number")
  }

  private func error(_ message: String) -> MemoryTraceError { MemoryTraceError(line: line, message: message) }
}

private let comma = UInt8(ascii: ",")

private func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }

private func trimmed(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> Slice<UnsafeBufferPointer<UInt8>> {
  var text = text
  while let first = text.first, isBlank(first) { text.removeFirst() }
  while let last = text.last, isBlank(last) { text.removeLast() }
  // Some programs write every name, or every field, in quotes.
  let quote = UInt8(ascii: "\"")
  if text.count >= 2, text.first == quote, text.last == quote { text = text.dropFirst().dropLast() }
  return text
}

/// Shortens a foreign text and makes it printable, for use in a message.
private func quoted(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> String {
  let shown = text.prefix(40).map {
    (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "\"") ? $0 : UInt8(ascii: "?")
  }
  return "\"" + String(decoding: shown, as: UTF8.self) + (text.count > 40 ? "…\"" : "\"")
}

private func seconds(_ time: LoopTime) -> String {
  let fraction = (time.sinceBoot % .seconds(1)).count
  guard fraction > 0 else { return "\(time.sinceBoot / .seconds(1))" }
  var digits = String(fraction)
  while digits.utf8.count < 6 { digits = "0" + digits }
  return "\(time.sinceBoot / .seconds(1)).\(digits)"
}
