/// One settings file as it was read: a main file or a drop-in.
public struct SettingsFragment: Sendable, Equatable {
  /// Where it was read from; errors name it.
  public var path: String
  public var contents: [UInt8]

  public init(path: String, contents: [UInt8]) {
    self.path = path
    self.contents = contents
  }

  public init(path: String, text: String) {
    self.init(path: path, contents: Array(text.utf8))
  }

  /// An empty file, or a symbolic link to `/dev/null`, hides the files of lower priority (systemd.unit(5)).
  public var isMask: Bool { contents.isEmpty }
}

/// One `Key=value`, with the line on which it begins.
struct SettingsAssignment: Equatable {
  var section: String
  var key: String
  /// Stripped of white space at both ends; empty resets the key.
  var value: String
  var file: String
  var line: Int
}

/// Reads systemd's settings format (systemd.syntax(7)) into assignments, in order.
///
/// It differs from systemd in one way: what systemd skips with a warning is an error here.
struct SettingsParser {
  /// Far more than a real file has; it limits the memory that a hostile file can take.
  static let maximumFileBytes = 1 << 20
  /// The limit for one line with all its continuations.
  static let maximumLineBytes = 1 << 16

  /// The assignments of a file without mistakes; throws the first mistake.
  static func parse(_ fragment: SettingsFragment) throws(SettingsError) -> [SettingsAssignment] {
    let (assignments, mistakes) = read(fragment)
    if let first = mistakes.first { throw first }
    return assignments
  }

  /// The assignments and all mistakes, `SettingsErrors.limit` of them at most. Reads on after a line that is wrong in
  /// itself, but not after one that is too long or holds a NUL byte.
  static func read(
    _ fragment: SettingsFragment
  ) -> (assignments: [SettingsAssignment], mistakes: [SettingsError]) {
    var parser = SettingsParser(file: fragment.path)
    do throws(SettingsError) {
      try parser.readLines(fragment.contents)
    } catch {
      parser.mistakes.append(error)
    }
    return (parser.assignments, parser.mistakes)
  }

  private let file: String
  private var number = 0
  private var section = Section.none
  private var assignments: [SettingsAssignment] = []
  private var mistakes: [SettingsError] = []

  private enum Section {
    case none
    case named(String)
    /// The section's line, or its absence, is a mistake that is reported already; its keys are not reported.
    case unreadable
  }

  /// The earlier lines of a continued line, and the number of the first.
  private var pending: [UInt8] = []
  private var pendingLine = 0

  private init(file: String) {
    self.file = file
  }

  /// The next line without its end, which is LF, CR or CR LF (systemd's read_line()); nil at the end.
  private static func takeLine(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard !rest.isEmpty else { return nil }
    guard let end = rest.firstIndex(where: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) else {
      defer { rest = [] }
      return rest
    }
    let line = rest[..<end]
    let isPair = rest[end] == UInt8(ascii: "\r") && rest[(end + 1)...].first == UInt8(ascii: "\n")
    rest = rest[(end + (isPair ? 2 : 1))...]
    return line
  }

  private mutating func readLines(_ contents: [UInt8]) throws(SettingsError) {
    guard contents.count <= Self.maximumFileBytes else {
      throw error("the file is larger than \(Self.maximumFileBytes) bytes", line: nil)
    }
    var rest = contents[...]
    if rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest = rest.dropFirst(3) }
    while mistakes.count < SettingsErrors.limit, let line = Self.takeLine(&rest) {
      number += 1
      try read(line)
    }
    // The end of the file also ends a continued line, as in systemd.
    if !pending.isEmpty { finish(pending[...]) }
  }

  private mutating func read(_ line: ArraySlice<UInt8>) throws(SettingsError) {
    guard !line.contains(0) else { throw error("the line holds a NUL byte", line: number) }
    // A comment may stand between the lines of a continued line; a backslash at its end means nothing.
    if let first = strip(line).first, first == UInt8(ascii: "#") || first == UInt8(ascii: ";") { return }
    guard pending.count + line.count <= Self.maximumLineBytes else {
      throw error("the line is longer than \(Self.maximumLineBytes) bytes", line: number)
    }
    let wasContinued = !pending.isEmpty
    if !wasContinued { pendingLine = number }
    guard Self.endsInBackslash(line) else {
      let whole = pending + line
      pending = []
      return finish(whole[...])
    }
    pending += line.dropLast()
    pending.append(UInt8(ascii: " "))
  }

  /// Whether the line ends in an odd number of backslashes, so that the last one is not escaped.
  private static func endsInBackslash(_ line: ArraySlice<UInt8>) -> Bool {
    line.reversed().prefix { $0 == UInt8(ascii: "\\") }.count % 2 == 1
  }

  private mutating func finish(_ whole: ArraySlice<UInt8>) {
    do throws(SettingsError) {
      try take(strip(whole))
    } catch {
      mistakes.append(error)
    }
  }

  /// A whole line, stripped: a section or an assignment.
  private mutating func take(_ bytes: ArraySlice<UInt8>) throws(SettingsError) {
    guard let first = bytes.first else { return }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw error("the line is not UTF-8", line: pendingLine)
    }
    if first == UInt8(ascii: "[") {
      guard bytes.last == UInt8(ascii: "]"), bytes.count > 2 else {
        section = .unreadable
        throw error("\(quoted(text)) is not a section; write [Name]", line: pendingLine)
      }
      section = .named(String(decoding: bytes.dropFirst().dropLast(), as: UTF8.self))
      return
    }
    guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")) else {
      throw error("\(quoted(text)) has no '='; write Key=value", line: pendingLine)
    }
    let key = String(decoding: strip(bytes[..<equals]), as: UTF8.self)
    let value = String(decoding: strip(bytes[(equals + 1)...]), as: UTF8.self)
    guard !key.isEmpty else { throw error("there is no key before '='", line: pendingLine) }
    switch section {
    case .named(let section):
      assignments.append(
        SettingsAssignment(section: section, key: key, value: value, file: file, line: pendingLine))
    case .unreadable: break
    case .none:
      section = .unreadable
      throw SettingsError(
        file: file, line: pendingLine, key: key,
        message: "it stands before the first section; write the [Section] line above it")
    }
  }

  private func error(_ message: String, line: Int?) -> SettingsError {
    SettingsError(file: file, line: line, message: message)
  }
}

/// Without systemd's WHITESPACE at both ends.
func strip(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
  guard let first = bytes.firstIndex(where: { !isWhiteSpace($0) }),
    let last = bytes.lastIndex(where: { !isWhiteSpace($0) })
  else { return [] }
  return bytes[first...last]
}

/// systemd's WHITESPACE: space, tab, line feed, carriage return.
func isWhiteSpace(_ byte: UInt8) -> Bool {
  byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D
}
