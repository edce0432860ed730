internal import CSystemd
internal import Glibc
public import Time

extension EventLoop {
  /// Suspends until the descriptor has one of `events` (EPOLL…); 0 when `timeout` passed first.
  public func wait(descriptor: CInt, events: UInt32, timeout: Microseconds?) async -> UInt32 {
    let pending = PendingWait()
    return await withUnsafeContinuation { continuation in
      pending.begin(continuation)
      do throws(Errno) {
        pending.io = try EventSource.io(self, descriptor: descriptor, events: events) { pending.finish($0) }
        if let timeout {
          pending.timer = try EventSource.timer(self, after: timeout) { pending.finish(0) }
        }
      } catch {
        // The caller's next system call on the descriptor reports the error.
        pending.finish(UInt32(EPOLLERR.rawValue))
      }
    }
  }

  public func sleep(_ span: Microseconds) async {
    let pending = PendingWait()
    _ = await withUnsafeContinuation { (continuation: UnsafeContinuation<UInt32, Never>) in
      pending.begin(continuation)
      do throws(Errno) {
        pending.timer = try EventSource.timer(self, after: span) { pending.finish(0) }
      } catch {
        pending.finish(0)
      }
    }
  }
}

/// A continuation that is resumed once, by whichever source fires first; it then releases both.
private final class PendingWait {
  var io: EventSource?
  var timer: EventSource?
  private var continuation: UnsafeContinuation<UInt32, Never>?

  func begin(_ continuation: UnsafeContinuation<UInt32, Never>) {
    self.continuation = continuation
  }

  func finish(_ events: UInt32) {
    guard let waiting = continuation else { return }
    continuation = nil
    io = nil
    timer = nil
    waiting.resume(returning: events)
  }
}
