/// What is wrong in a settings file, and where: `/etc/podctl/tiers/free.conf:7: MemoryMax=: …`.
public struct SettingsError: Error, Hashable, Sendable, CustomStringConvertible {
  public var file: String
  /// Counted from 1; nil when the file as a whole is meant.
  public var line: Int?
  public var key: String?
  /// A sentence: what is wrong, and the way out.
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

/// Why a single value does not parse. The parsers of values know neither file nor key.
public struct ValueError: Error, Hashable, Sendable, CustomStringConvertible {
  public var message: String

  public init(_ message: String) { self.message = message }

  public var description: String { message }
}

/// Text as it may stand in an error message: in quotes, bounded, on one line, without anything that moves
/// a terminal's cursor or turns its writing direction.
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
