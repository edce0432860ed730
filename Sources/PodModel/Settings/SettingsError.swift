/// What is wrong in a settings file, and where: `/etc/podctl/tiers/free.conf:7: MemoryMax=: …`.
public struct SettingsError: Error, Hashable, Sendable, CustomStringConvertible {
  public var file: String
  /// Counted from 1; nil when the error is about the file as a whole.
  public var line: Int?
  public var key: String?
  /// A sentence: what is wrong, and how to correct it.
  public var message: String

  public init(file: String, line: Int? = nil, key: String? = nil, message: String) {
    self.file = file
    self.line = line
    self.key = key
    self.message = message
  }

  public var description: String {
    var text = displayed(file, limit: 4096)
    if let line { text += ":\(line)" }
    if let key { text += ": \(displayed(key, limit: 64))=" }
    return text + ": " + message
  }
}

/// Everything that is wrong in a settings file and its drop-ins, in the order of the files and lines.
public struct SettingsErrors: Error, Hashable, Sendable, CustomStringConvertible {
  public let first: SettingsError
  /// At most `limit` mistakes, beginning with `first`.
  public let all: [SettingsError]

  /// A file of another kind has a mistake in every line, and nobody reads a thousand of them.
  public static let limit = 16

  public init(_ error: SettingsError) {
    first = error
    all = [error]
  }

  /// Nil when there are no mistakes.
  public init?(_ errors: [SettingsError]) {
    guard let first = errors.first else { return nil }
    self.first = first
    all = Array(errors.prefix(Self.limit))
  }

  /// One line: the first mistake, and how many others there are.
  public var description: String {
    switch all.count {
    case 1: first.description
    case 2: "\(first) (podctl doctor lists 1 more mistake)"
    case let count: "\(first) (podctl doctor lists \(count - 1) more mistakes)"
    }
  }
}

/// A mistake in a settings file, and what the file defines.
public struct SettingsMistake: Error, Hashable, Sendable, CustomStringConvertible {
  public enum Subject: Hashable, Sendable {
    case podd
    case tier(String)
    case workload(String)
  }

  public var subject: Subject
  public var error: SettingsError

  public init(_ subject: Subject, _ error: SettingsError) {
    self.subject = subject
    self.error = error
  }

  public var description: String { error.description }
}

/// Why a single value does not parse. The parsers of values know neither file nor key.
public struct ValueError: Error, Hashable, Sendable, CustomStringConvertible {
  public var message: String

  public init(_ message: String) { self.message = message }

  public var description: String { message }
}

/// Text that is safe in an error message: in quotes, of limited length, on one line, without characters that move a
/// terminal's cursor or change its writing direction.
func quoted(_ text: some StringProtocol) -> String {
  "\"" + displayed(text, limit: 80) + "\""
}

private func displayed(_ text: some StringProtocol, limit: Int) -> String {
  var result = ""
  for (index, scalar) in text.unicodeScalars.enumerated() {
    guard index < limit else { return result + "…" }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
      result += "\\u{" + String(scalar.value, radix: 16) + "}"
    default:
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}
