import CLinux
import Linux
import Systemd

/// Watches nginx's connections in an epoll set of its own, which the loop watches as one descriptor.
///
/// sd-event asks the kernel before each single event that it dispatches, and each time the kernel looks at all descriptors
/// that are ready. Under load many are; here they are served after one question.
@LoopActor
final class ConnectionSet {
  /// How many are served before the loop's other events have their turn.
  private static let most = 64

  /// Goes before the set, which it watches.
  private var source: EventSource?
  private let set: FileDescriptor
  private var readers: [CInt: @LoopActor () -> Void] = [:]

  init() throws(Errno) {
    let descriptor = linux_poll_create()
    guard descriptor >= 0 else { throw Errno.last("epoll_create1") }
    set = FileDescriptor(owning: descriptor)
    source = try EventSource.io(EventLoop.main, descriptor: descriptor, events: PollEvents.input) {
      [weak self] _ in
      LoopActor.assumeIsolated { self?.serve() }
    }
  }

  /// Calls `readable` whenever the connection has something to read, or has ended.
  func add(_ connection: CInt, readable: @escaping @LoopActor () -> Void) throws(Errno) {
    guard linux_poll_watch(set.raw, connection, LINUX_READABLE, 0) == 0 else {
      throw Errno.last("epoll_ctl")
    }
    readers[connection] = readable
  }

  /// For a time, nobody is called for the connection.
  func pause(_ connection: CInt) { linux_poll_watch(set.raw, connection, 0, 1) }

  func resume(_ connection: CInt) { linux_poll_watch(set.raw, connection, LINUX_READABLE, 0) }

  /// The connection is going to be closed. One that is paused may be removed, too.
  func remove(_ connection: CInt) {
    linux_poll_watch(set.raw, connection, 0, 1)
    readers[connection] = nil
  }

  private func serve() {
    withUnsafeTemporaryAllocation(of: CInt.self, capacity: Self.most) { ready in
      let count = linux_poll_wait(set.raw, ready.baseAddress, CInt(Self.most), 0)
      // A reader may remove connections that come later.
      for number in 0..<Int(max(count, 0)) { readers[ready[number]]?() }
    }
  }
}
