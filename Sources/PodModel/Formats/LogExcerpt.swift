/// The last lines of a pod's own output, which are kept as evidence of its end. A pod may write anything, so
/// they are bounded in size, and harmless on a terminal.
public enum LogExcerpt {
  /// Bytes that are kept of a line.
  public static let lineMax = 300

  /// The last `count` lines of `output`, oldest first; empty lines are left out.
  public static func lines(_ output: [UInt8], count: Int) -> [String] {
    output.split(separator: UInt8(ascii: "\n")).suffix(max(0, count)).map { clipped($0) }
  }

  /// A line as valid UTF-8 of at most ``lineMax`` bytes; a longer line is cut and ends in `…`. Control
  /// characters, those that turn the direction of text or are invisible (category Cf), and bytes that are not UTF-8
  /// become U+FFFD, a tab becomes a space.
  public static func clipped(_ line: some Collection<UInt8>) -> String {
    var text = ""
    for scalar in String(decoding: line.prefix(lineMax + 1), as: UTF8.self).unicodeScalars {
      switch scalar.properties.generalCategory {
      case _ where scalar == "\t": text.unicodeScalars.append(" ")
      case .control, .format, .lineSeparator, .paragraphSeparator: text.unicodeScalars.append("\u{FFFD}")
      default: text.unicodeScalars.append(scalar)
      }
    }
    guard text.utf8.count > lineMax else { return text }
    // By scalars, because a single character can be longer than ``lineMax``.
    while text.utf8.count > lineMax - "…".utf8.count { text.unicodeScalars.removeLast() }
    return text + "…"
  }
}
