import CLinux
import Glibc
import Systemd

/// A pressure trigger of the kernel (psi.rst): told when some task waited for memory longer than it should.
@LoopActor
final class PressureAlarm {
  // Before the descriptor that it watches, so that it goes first.
  private var source: EventSource?
  private let trigger: FileDescriptor

  /// - Parameters:
  ///   - path: `/proc/pressure/memory`, or a cgroup's memory.pressure.
  ///   - stallUSec: So much within `windowUSec`.
  init(
    path: String, stallUSec: UInt64, windowUSec: UInt64, _ handler: @escaping @LoopActor () -> Void
  ) throws(Errno) {
    trigger = try FileDescriptor.open(path, O_RDWR | O_NONBLOCK)
    let words = Array("some \(stallUSec) \(windowUSec)".utf8) + [0]
    let raw = trigger.raw
    let written = words.withUnsafeBytes { write(raw, $0.baseAddress, $0.count) }
    guard written == words.count else { throw Errno.last("arm \(path)") }
    source = try EventSource.io(EventLoop.main, descriptor: raw, events: PollEvents.priority) {
      [weak self] events in
      LoopActor.assumeIsolated {
        // The file of a removed cgroup reports an error for ever (facts 19).
        if events & PollEvents.error != 0 {
          self?.source = nil
        } else {
          handler()
        }
      }
    }
  }
}
