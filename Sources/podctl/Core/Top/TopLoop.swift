internal import Linux
internal import Glibc
internal import PodAPI

/// `podctl top` on a terminal: reads, shows, waits for a key or the next reading.
struct TopLoop {
  private let context: Context
  private var view: TopView
  private var style: Style
  private var readings = TopReadings()
  private var keys = TopKeys()
  private var client: Client?
  /// When the connection was last tried, CLOCK_MONOTONIC in microseconds.
  private var triedAt: UInt64 = 0

  /// A bus that cannot be reached, which over ssh takes a process each time, is tried no more often.
  private static let pause: UInt64 = 3_000_000

  init(_ view: TopView, _ context: Context, client: Client) {
    self.view = view
    self.context = context
    self.client = client
    style = Style.current
    style.unicode = style.unicode && style.colours
  }

  /// Returns when somebody quits. The first answer is waited for before the terminal is touched: what goes wrong with
  /// it is an error like any other.
  mutating func run() throws(CallError) {
    if let client { view.rows = readings.rows(try client.listUsage()) }
    view.readAt = realtimeNow()
    let isDumb = getenv("TERM").map { String(cString: $0) == "dumb" } ?? true
    var terminal = TopTerminal(isDumb: isDumb)
    var next = monotonicNow() + view.delay
    measure()
    terminal.show(view.screen(style))
    while true {
      let now = monotonicNow()
      if now >= next {
        read()
        terminal.show(view.screen(style))
        next = monotonicNow() + view.delay
        continue
      }
      switch terminal.wait(milliseconds: Int((next - now) / 1000) + 1) {
      case .timeout: continue
      case .ended: return
      case .resized: measure()
      case .continued: terminal.enter()
      case .keys(let bytes):
        for key in keys.read(bytes) {
          switch key {
          case .quit: return
          case .suspend: terminal.suspend()
          case .refresh: next = 0
          default: _ = view.handle(key, lines: style.lines)
          }
        }
        next = min(next, monotonicNow() + view.delay)
      }
      measure()
      terminal.show(view.screen(style))
    }
  }

  private mutating func measure() {
    guard let size = TopTerminal.size else { return }
    (style.columns, style.lines) = size
  }

  /// The last figures stay while there are no newer ones, and it is said why.
  private mutating func read() {
    do throws(CallError) {
      if client == nil {
        guard monotonicNow() >= triedAt + Self.pause else { return }
        triedAt = monotonicNow()
        client = try context.client()
      }
      guard let client else { return }
      view.rows = readings.rows(try client.listUsage(watching: true))
      view.readAt = realtimeNow()
      view.trouble = nil
    } catch {
      view.trouble = error.message
      if !error.isAnswer { client = nil }
    }
  }
}
