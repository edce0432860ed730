import Glibc
import LoopThread
import Systemd
import Testing
import Time

@Suite(.timeLimit(.minutes(10))) struct EventSourceTests {
  @Test func aTimerFiresOnceAndCanBeArmedAgain() async throws {
    try await onLoop {
      let fired = Mailbox<Int>()
      let timer = try EventSource.timer(EventLoop.main, after: .milliseconds(1)) { fired.put(1) }
      _ = await fired.next()
      await EventLoop.main.sleep(.milliseconds(5))
      #expect(fired.pending.isEmpty)
      try timer.rearm(after: .milliseconds(1))
      _ = await fired.next()
      withExtendedLifetime(Held(timer)) {}
    }
  }

  @Test func aTimerThatIsLetGoOfNeverFires() async throws {
    try await onLoop {
      let fired = Mailbox<Int>()
      let held = Held(try EventSource.timer(EventLoop.main, after: .milliseconds(1)) { fired.put(1) })
      held.source = nil
      await EventLoop.main.sleep(.milliseconds(20))
      #expect(fired.pending.isEmpty)
    }
  }

  @Test func aCallbackMayLetGoOfItsOwnSource() async throws {
    try await onLoop {
      var ends: [CInt] = [0, 0]
      try #require(openPair(&ends))
      defer { for end in ends { close(end) } }
      var byte: UInt8 = 1
      try #require(write(ends[1], &byte, 1) == 1)
      let fired = Mailbox<[String]>()
      let held = Held()
      // What the closure has captured must outlive the source that it belongs to.
      let captured = ["still", "here"]
      held.source = try EventSource.io(EventLoop.main, descriptor: ends[0], events: PollEvents.input) { _ in
        held.source = nil
        fired.put(captured)
      }
      #expect(await fired.next() == captured)
      // The descriptor is still readable, and nobody watches it any more.
      await EventLoop.main.sleep(.milliseconds(5))
      #expect(fired.pending.isEmpty)
    }
  }

  /// libsystemd counts references without a lock: on another thread, that would race with the loop.
  @Test func aSourceThatIsLetGoOfOnAnotherThreadIsReleasedOnTheLoop() async throws {
    final class Witness: Sendable {
      let released: @Sendable (_ isOnTheLoop: Bool) -> Void
      init(_ released: @escaping @Sendable (Bool) -> Void) { self.released = released }
      deinit { released(EventLoop.main.isIsolatingCurrentContext() == true) }
    }
    @LoopActor final class Owner {
      private let source: EventSource
      init(_ source: consuming EventSource) { self.source = source }
    }
    let isOnTheLoop = await withCheckedContinuation { continuation in
      Task {
        _ = try await onLoop {
          let witness = Witness { continuation.resume(returning: $0) }
          return Owner(try EventSource.timer(EventLoop.main, after: .minutes(1)) { _ = witness })
        }
      }
    }
    #expect(isOnTheLoop)
  }

  @Test func theCallbackAndWhatItHoldsAreFreedWithTheSource() async throws {
    try await onLoop {
      final class Token {}
      weak var token: Token?
      do {
        let captured = Token()
        token = captured
        let held = Held(try EventSource.timer(EventLoop.main, after: .minutes(1)) { _ = captured })
        #expect(token != nil)
        held.source = nil
      }
      #expect(token == nil)
    }
  }

  @Test func whatCannotBeWatchedIsRefused() async throws {
    try await onLoop {
      #expect(throws: Errno(EBADF, "watch descriptor")) {
        _ = Held(try EventSource.io(EventLoop.main, descriptor: -1, events: PollEvents.input) { _ in })
      }
      // epoll takes no regular files.
      let file = try FileDescriptor.open("/proc/self/exe", O_RDONLY)
      #expect(throws: Errno(EPERM, "watch descriptor")) {
        _ = Held(try EventSource.io(EventLoop.main, descriptor: file.raw, events: PollEvents.input) { _ in })
      }
    }
  }

  @Test func theMoreUrgentSourceComesFirst() async throws {
    try await onLoop {
      let order = Mailbox<String>()
      let late = try EventSource.timer(EventLoop.main, after: .zero) { order.put("late") }
      let urgent = try EventSource.timer(EventLoop.main, after: .zero) { order.put("urgent") }
      late.setPriority(10)
      urgent.setPriority(-10)
      #expect(await order.next() == "urgent")
      #expect(await order.next() == "late")
      withExtendedLifetime((Held(late), Held(urgent))) {}
    }
  }
}
