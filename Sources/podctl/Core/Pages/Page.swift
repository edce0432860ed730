internal import Time

/// A page about one thing, laid out like `systemctl status`: a title with a dot, then fields.
struct Page {
  private var lines: [String] = []
  let style: Style

  init(_ style: Style) {
    self.style = style
  }

  var text: String { lines.map { $0 + "\n" }.joined() }

  mutating func title(_ state: String, _ text: String) {
    lines.append("\(style.dot(state: state)) \(text)")
  }

  mutating func field(_ label: String, _ value: String?) {
    guard let value else { return }
    lines.append(String(repeating: " ", count: max(0, 11 - label.count)) + "\(label): \(value)")
  }

  /// Adds an empty line, the heading and `content`; adds nothing if `content` is empty.
  mutating func section(_ content: [String], headed heading: String? = nil) {
    guard !content.isEmpty else { return }
    lines.append("")
    if let heading { lines.append(style.paint(heading, .bold)) }
    lines += content
  }

  func since(_ time: WallTime?) -> String {
    guard let time else { return "" }
    return " since \(Units.absolute(time)); \(Units.relative(time, now: style.now))"
  }

  /// `2 (limit 640)`, without limits that are not known.
  static func limited(_ value: String?, _ limits: [(String, String?)]) -> String? {
    guard let value else { return nil }
    let known = limits.compactMap { name, limit in limit.map { "\(name) \($0)" } }
    return known.isEmpty ? value : "\(value) (\(known.joined(separator: ", ")))"
  }
}
