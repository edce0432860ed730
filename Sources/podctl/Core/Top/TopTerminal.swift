internal import CLinux
internal import Glibc

/// The terminal while `podctl top` uses it: each key arrives at once, and the earlier screen is restored at the end,
/// also after an error or a signal.
struct TopTerminal: ~Copyable {
  /// Why `wait` returned.
  enum Event: Equatable {
    case keys([UInt8])
    case resized
    /// The program was stopped and continued: the terminal is in the shell's mode.
    case continued
    /// A signal asks podctl to end, or the terminal is gone.
    case ended
    case timeout
  }

  private static let signals = [SIGWINCH, SIGCONT, SIGTERM, SIGINT, SIGHUP, SIGQUIT]

  private let isDumb: Bool
  private var original = termios()
  private var hasKeys: Bool
  private let signals: CInt

  init(isDumb: Bool) {
    self.isDumb = isDumb
    hasKeys = isatty(STDIN_FILENO) != 0 && tcgetattr(STDIN_FILENO, &original) == 0
    signals = linux_signal_descriptor(Self.signals, CInt(Self.signals.count))
    enter()
  }

  deinit {
    leave()
    close(signals)
  }

  /// Sets the terminal's mode, at the beginning and after the shell has used the terminal.
  func enter() {
    if hasKeys {
      var raw = original
      // Without ISIG, Ctrl-C is a key like the others, and only TopLoop ends the program.
      raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
      raw.c_iflag &= ~tcflag_t(IXON)
      tcsetattr(STDIN_FILENO, TCSADRAIN, &raw)
    }
    // The alternate screen, no cursor, no automatic line breaks (ctlseqs, "DEC Private Mode Set").
    if !isDumb { Self.write("\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l") }
  }

  func leave() {
    if !isDumb { Self.write("\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l") }
    if hasKeys {
      var original = original
      tcsetattr(STDIN_FILENO, TCSADRAIN, &original)
    }
  }

  /// Stops the program as Ctrl-Z does, until the shell continues it.
  func suspend() {
    leave()
    kill(0, SIGTSTP)
    enter()
  }

  func show(_ lines: [String]) {
    if isDumb {
      Self.write(lines.map { $0 + "\n" }.joined() + "\n")
    } else {
      Self.write("\u{1B}[H" + lines.joined(separator: "\u{1B}[K\r\n") + "\u{1B}[K\u{1B}[J")
    }
  }

  static var size: (columns: Int, lines: Int)? {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
      return nil
    }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// Waits for one event, for at most `milliseconds`.
  mutating func wait(milliseconds: Int) -> Event {
    // Negative descriptors are ignored (poll(2)).
    var watched = [
      pollfd(fd: hasKeys ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0),
      pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
    ]
    let ready = poll(&watched, nfds_t(watched.count), CInt(clamping: milliseconds))
    if ready < 0 { return errno == EINTR ? .timeout : .ended }
    if watched[1].revents != 0 {
      switch linux_signal_next(signals) {
      case SIGWINCH: return .resized
      case SIGCONT: return .continued
      case 0: return .timeout
      default: return .ended
      }
    }
    guard watched[0].revents != 0 else { return .timeout }
    var bytes = [UInt8](repeating: 0, count: 256)
    let got = read(STDIN_FILENO, &bytes, bytes.count)
    if got < 0 && errno == EINTR { return .timeout }
    // The terminal was hung up.
    guard got > 0 else { return .ended }
    return .keys(Array(bytes.prefix(got)))
  }

  /// Ignores write errors: `wait` notices that the terminal is gone.
  private static func write(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let done = bytes.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if done < 0 && errno == EINTR { continue }
      guard done > 0 else { return }
      bytes = bytes.dropFirst(done)
    }
  }
}
