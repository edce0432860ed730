internal import Glibc
internal import Linux
internal import Time

/// How to write to this standard output, by systemctl's rules.
struct Style {
  var isTerminal = false
  var colours = false
  /// The terminal's width; nil where nothing may be cut short.
  var columns: Int?
  var lines = 24
  var unicode = false
  /// Header and footer; the footer appears on terminals only.
  var legend = true
  var now = WallTime.epoch

  /// Determined once, because only the time changes while podctl runs.
  static let current = Style(
    isTerminal: isatty(STDOUT_FILENO) != 0, environment: { getenv($0).map { String(cString: $0) } },
    window: windowSize(), now: Clock.wall)

  init() {}

  init(
    isTerminal: Bool, environment: (String) -> String?, window: (columns: Int, lines: Int)?, now: WallTime
  ) {
    self.isTerminal = isTerminal
    self.now = now
    let dumb = environment("TERM").map { $0 == "dumb" || $0.isEmpty } ?? true
    switch environment("SYSTEMD_COLORS")?.lowercased() {
    case "0", "no", "false", "off": colours = false
    case .some(let value) where !value.isEmpty: colours = true
    default: colours = isTerminal && !dumb && (environment("NO_COLOR") ?? "").isEmpty
    }
    if isTerminal {
      columns =
        environment("COLUMNS").flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil } ?? window?.columns ?? 80
      lines = environment("LINES").flatMap { Int($0) } ?? window?.lines ?? 24
    }
    func locale(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }
    unicode = (locale("LC_ALL") ?? locale("LC_CTYPE") ?? locale("LANG")).map(Self.namesUTF8) ?? false
  }

  /// A locale's name as in locale(7): `LANGUAGE_TERRITORY.CODESET@MODIFIER`.
  private static func namesUTF8(_ locale: String) -> Bool {
    guard let dot = locale.firstIndex(of: ".") else { return false }
    let codeset = locale[dot...].dropFirst().prefix { $0 != "@" }.lowercased()
    return codeset == "utf-8" || codeset == "utf8"
  }

  private static func windowSize() -> (columns: Int, lines: Int)? {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  func paint(_ text: String, _ colour: Colour?) -> String {
    guard colours, let colour, !text.isEmpty else { return text }
    return colour.rawValue + text + Colour.reset
  }
}

/// systemd's own escape sequences, so that both look alike on every terminal.
enum Colour: String {
  case green = "\u{1B}[0;1;32m"
  case yellow = "\u{1B}[0;1;33m"
  case red = "\u{1B}[0;1;31m"
  case blue = "\u{1B}[0;1;34m"
  case grey = "\u{1B}[0;38;5;245m"
  case bold = "\u{1B}[0;1;39m"
  case header = "\u{1B}[0;1;4m"

  static let reset = "\u{1B}[0m"

  /// The colour of a pod's state; an unknown state stays plain.
  init?(state: String) {
    switch state {
    case "ready": self = .green
    case "starting", "backoff", "draining", "stopping": self = .yellow
    case "crash-loop": self = .red
    case "frozen": self = .blue
    default: return nil
    }
  }
}

extension Style {
  /// systemctl's glyphs: a full circle runs, a hollow one does not, a cross failed.
  func dot(state: String) -> String {
    let glyph =
      switch state {
      case "crash-loop": unicode ? "×" : "x"
      case "cold", "stopped", "": unicode ? "○" : "*"
      default: unicode ? "●" : "*"
      }
    return paint(glyph, Colour(state: state))
  }
}
