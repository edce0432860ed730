import Linux
import Systemd
import Time

/// A wait for what another program reports: it ends with the report or with its time, whichever comes first. Every wait
/// of podd for systemd, polkit, the bus or a pod's program is one of these, a call over the bus with its timeout
/// (``Bus/callAsync(_:timeout:)``), or ``EventLoop/wait(descriptor:events:timeout:)``; after it, podd looks at what is
/// true.
@LoopActor
final class BoundedWait<Report: Sendable> {
  private var waiting: UnsafeContinuation<Report?, Never>?
  private var timer: EventSource?
  private var reported: Report?

  /// The report; nil when none came within `span`. One caller at a time; a wait that ended without a report may be
  /// continued.
  func report(within span: Microseconds) async -> Report? {
    if let reported { return reported }
    return await withUnsafeContinuation { continuation in
      waiting = continuation
      do throws(Errno) {
        timer = try EventSource.timer(EventLoop.main, after: span) { [weak self] in
          LoopActor.assumeIsolated { self?.end(nil) }
        }
      } catch {
        // Without a timer nothing would end it.
        end(nil)
      }
    }
  }

  /// Ends the wait; a later report is ignored.
  func finish(_ report: Report) {
    guard reported == nil else { return }
    reported = report
    end(report)
  }

  private func end(_ report: Report?) {
    timer = nil
    let continuation = waiting.take()
    continuation?.resume(returning: report)
  }
}
