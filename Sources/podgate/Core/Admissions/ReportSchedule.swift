import Systemd
import Time

/// When podd is told something: an interval after the first news, and at once if that is asked for.
@LoopActor
final class ReportSchedule {
  /// How long podd is left alone after it could not be told.
  static let pause: Microseconds = .seconds(10)

  private let interval: Microseconds
  private var timer: EventSource?
  private var sending: Task<Void, Never>?
  private var isRefused = false
  private var hasComplained = false
  /// What podd did not take, for the one complaint in the journal.
  private let subject: String
  /// Tells podd all that there is when it is called. What podd does not take is kept.
  var send: @LoopActor () async throws(BusError) -> Void = {}
  /// Whether there is something to be told.
  var hasNews: @LoopActor () -> Bool = { false }

  init(_ subject: String, interval: Microseconds) {
    self.subject = subject
    self.interval = interval
  }

  /// There is something to be told.
  func arm() {
    guard timer == nil else { return }
    let span = isRefused ? max(interval, Self.pause) : interval
    timer = try? EventSource.timer(EventLoop.main, after: span, accuracy: interval / 10) { [weak self] in
      loopTask { await self?.elapsed() }
    }
  }

  private func elapsed() async {
    await flush()
    timer = nil
    if hasNews() { arm() }
  }

  /// Tells podd now. Returns when podd has taken all of it, or something not.
  func flush() async {
    if let sending { await sending.value }
    let task = loopTask { await self.tell() }
    sending = task
    await task.value
    sending = nil
    if hasNews() { arm() }
  }

  private func tell() async {
    do throws(BusError) {
      try await send()
      isRefused = false
      hasComplained = false
    } catch {
      isRefused = true
      complain(error)
    }
  }

  /// Once, and not while podd is away, which is nothing unusual.
  private func complain(_ error: BusError) {
    guard !hasComplained, !error.isUnreachable else { return }
    hasComplained = true
    GateLog.warning("podd does not record \(subject); it is told again: \(error.message)")
  }
}
