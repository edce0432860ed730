import Glibc
import Linux
import Systemd
import Time

/// Waits for a child that was killed. It may be in an uninterruptible sleep, in which it can do no harm, and for which
/// nobody waits for long.
@LoopActor
enum Reaper {
  /// Returns when the process has ended, or after `patience`; then its zombie is waited for later.
  static func end(of pid: pid_t, pidfd: borrowing FileDescriptor, patience: Microseconds) async {
    let events = await EventLoop.main.wait(
      descriptor: pidfd.raw, events: PollEvents.input, timeout: patience)
    if events != 0 {
      _ = ProcessEnd(ofChild: pid)
    } else {
      later(pid, pidfd)
    }
  }

  private static func later(_ pid: pid_t, _ pidfd: borrowing FileDescriptor) {
    guard let own = try? pidfd.duplicate() else { return }
    Log.warning(
      "Process \(pid) was killed and does not end; is it waiting for a disk or a network file system?")
    let holder = Holder(own)
    loopTask {
      _ = await EventLoop.main.wait(
        descriptor: holder.pidfd.raw, events: PollEvents.input, timeout: nil)
      _ = ProcessEnd(ofChild: pid)
    }
  }

  /// A FileDescriptor is not copyable, and a closure is.
  @LoopActor
  private final class Holder {
    let pidfd: FileDescriptor
    init(_ pidfd: consuming FileDescriptor) { self.pidfd = pidfd }
  }
}
