internal import Glibc

/// A progress bar on standard error, when that is a terminal; redrawn only when it looks different.
struct Progress {
  private let total: Int
  private let width: Int?
  private var shown = ""

  init(total: Int, hidden: Bool) {
    self.total = total
    var size = winsize()
    let known = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    let dumb = getenv("TERM").map { String(cString: $0) == "dumb" } ?? true
    width = hidden || dumb || isatty(STDERR_FILENO) == 0 ? nil : known ? Int(size.ws_col) : 80
  }

  mutating func show(_ done: Int) {
    guard let width else { return }
    let line = Self.line(done: done, total: total, width: width)
    guard line != shown else { return }
    shown = line
    Output.write(Array("\r\(line)\u{1B}[K".utf8), to: STDERR_FILENO)
  }

  mutating func clear() {
    guard width != nil, !shown.isEmpty else { return }
    Output.write(Array("\r\u{1B}[K".utf8), to: STDERR_FILENO)
  }

  /// `[#####.....]  50% 20/40`
  static func line(done: Int, total: Int, width: Int) -> String {
    let percent = total == 0 ? 100 : done * 100 / total
    let figures =
      String(repeating: " ", count: percent < 10 ? 2 : percent < 100 ? 1 : 0) + "\(percent)% \(done)/\(total)"
    let room = max(0, min(60, width - figures.utf8.count - 4))
    let full = total == 0 ? room : room * done / total
    return "[" + String(repeating: "#", count: full) + String(repeating: ".", count: room - full) + "] "
      + figures
  }
}
