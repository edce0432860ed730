internal import Linux
internal import Glibc
internal import PodAPI
internal import Time

/// `podctl top` on a terminal: shows the pods, then waits for a key or the next update.
struct TopLoop {
  private let context: Context
  private var view: TopView
  private var style: Style
  private var readings = TopReadings()
  private var keys = TopKeys()
  private var client: Client?
  /// The time of the last attempt to connect.
  private var triedAt = LoopTime.zero

  /// The least time between two attempts to connect, each of which starts a process over ssh.
  private static let pause: Microseconds = .seconds(3)

  init(_ view: TopView, _ context: Context, client: Client) {
    self.view = view
    self.context = context
    self.client = client
    style = Style.current
    style.unicode = style.unicode && style.colours
  }

  /// Returns when the user quits. The first values are fetched before the terminal changes its mode, so that a failure
  /// is reported as with any other verb.
  mutating func run() throws(CallError) {
    if let client { view.rows = readings.rows(try client.listUsage(), try client.listRequests()) }
    view.readAt = Clock.wall
    let isDumb = getenv("TERM").map { String(cString: $0) == "dumb" } ?? true
    var terminal = TopTerminal(isDumb: isDumb)
    var next = Clock.loop + view.delay
    measure()
    terminal.show(view.screen(style))
    while true {
      let now = Clock.loop
      if now >= next {
        read()
        terminal.show(view.screen(style))
        next = Clock.loop + view.delay
        continue
      }
      switch terminal.wait(milliseconds: Int((next - now) / .milliseconds(1)) + 1) {
      case .timeout: continue
      case .ended: return
      case .resized: measure()
      case .continued: terminal.enter()
      case .keys(let bytes):
        for key in keys.read(bytes) {
          switch key {
          case .quit: return
          case .suspend: terminal.suspend()
          case .refresh: next = .zero
          default: _ = view.handle(key, lines: style.lines)
          }
        }
        next = min(next, Clock.loop + view.delay)
      }
      measure()
      terminal.show(view.screen(style))
    }
  }

  private mutating func measure() {
    guard let size = TopTerminal.size else { return }
    (style.columns, style.lines) = size
  }

  /// Fetches new values. If this fails, the last ones stay on the screen, with the reason.
  private mutating func read() {
    do throws(CallError) {
      if client == nil {
        guard Clock.loop >= triedAt + Self.pause else { return }
        triedAt = Clock.loop
        client = try context.client()
      }
      guard let client else { return }
      view.rows = readings.rows(
        try client.listUsage(watching: true), try client.listRequests(watching: true))
      view.readAt = Clock.wall
      view.trouble = nil
    } catch {
      view.trouble = error.message
      if !error.isAnswer { client = nil }
    }
  }
}
