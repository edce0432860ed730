internal import Glibc

/// A progress bar on standard error, when that is a terminal; redrawn only when it looks different.
struct Progress {
  private var total: Int
  private let width: Int?
  private var shown = ""

  init(total: Int, hidden: Bool) {
    self.total = total
    var size = winsize()
    let known = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    let dumb = getenv("TERM").map { String(cString: $0) == "dumb" } ?? true
    width = hidden || dumb || isatty(STDERR_FILENO) == 0 ? nil : known ? Int(size.ws_col) : 80
  }

  /// Draws the bar. `total` is given when it becomes known later; the note says what is being done.
  mutating func show(_ done: Int, of total: Int? = nil, note: String = "") {
    guard let width else { return }
    if let total { self.total = total }
    let line = Self.line(done: done, total: self.total, width: width, note: note)
    guard line != shown else { return }
    shown = line
    Output.write(Array("\r\(line)\u{1B}[K".utf8), to: STDERR_FILENO)
  }

  mutating func clear() {
    guard width != nil, !shown.isEmpty else { return }
    Output.write(Array("\r\u{1B}[K".utf8), to: STDERR_FILENO)
  }

  /// The width that is reserved for a note, so that the bar keeps its length.
  private static let noteWidth = 21

  /// `[#####.....]  50% 20/40 NOTE`; without the note where the bar would be too short.
  static func line(done: Int, total: Int, width: Int, note: String = "") -> String {
    let percent = total == 0 ? 100 : done * 100 / total
    let figures =
      String(repeating: " ", count: percent < 10 ? 2 : percent < 100 ? 1 : 0) + "\(percent)% \(done)/\(total)"
    let whole = max(0, width - figures.utf8.count - 4)
    let beside = note.isEmpty ? whole : whole - noteWidth
    let room = min(60, beside < 8 ? whole : beside)
    let full = total == 0 ? room : room * done / total
    return "[" + String(repeating: "#", count: full) + String(repeating: ".", count: room - full) + "] "
      + figures + (note.isEmpty || beside < 8 ? "" : " " + note.prefix(noteWidth - 1))
  }
}
