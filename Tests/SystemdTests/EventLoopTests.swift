import Glibc
import LoopThread
import Systemd
import Testing
import Time

@LoopActor private final class Counter {
  var value = 0
  /// Not atomic on purpose: two threads at once would lose counts.
  func increment() { value += 1 }
}

@Suite(.timeLimit(.minutes(10))) struct EventLoopTests {
  @Test func jobsFromForeignThreadsRunOneAtATime() async throws {
    let counter = try await onLoop { Counter() }
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask { for _ in 0..<500 { await counter.increment() } }
      }
    }
    #expect(try await onLoop { counter.value } == 4_000)
  }

  @Test func jobsNeverStarveEvents() async throws {
    try await onLoop {
      let fired = Flag()
      // Counted from when the loop last looked at the clock; far enough away that a busy host does not let it pass before
      // the first turn.
      await EventLoop.main.sleep(Microseconds(1))
      let timer = try EventSource.timer(EventLoop.main, after: .seconds(1)) { fired.isSet = true }
      var turns = 0
      while !fired.isSet {
        await Task.yield()
        turns += 1
      }
      #expect(turns > 1)
      withExtendedLifetime(Held(timer)) {}
    }
  }

  @Test func eventsNeverStarveJobs() async throws {
    try await onLoop {
      var ends: [CInt] = [0, 0]
      try #require(openPair(&ends))
      defer { for end in ends { close(end) } }
      var byte: UInt8 = 1
      try #require(write(ends[1], &byte, 1) == 1)
      // Never read: the descriptor stays readable, so its event is there in every turn of the loop.
      let events = Mailbox<UInt32>()
      let source = try EventSource.io(EventLoop.main, descriptor: ends[0], events: PollEvents.input) {
        events.put($0)
      }
      for _ in 0..<100 { _ = await events.next() }
      await EventLoop.main.sleep(.milliseconds(1))
      withExtendedLifetime(Held(source)) {}
    }
  }

  @Test func jobsKeepTheirOrder() async throws {
    try await onLoop {
      let order = Mailbox<Int>()
      for number in 0..<100 { loopTask { order.put(number) } }
      for number in 0..<100 { #expect(await order.next() == number) }
    }
  }

  @Test func aCallbackIsOnTheLoopsThread() async throws {
    try await onLoop {
      let done = Mailbox<Bool>()
      let timer = try EventSource.timer(EventLoop.main, after: .zero) {
        LoopActor.assumeIsolated { done.put(EventLoop.main.isIsolatingCurrentContext() == true) }
      }
      #expect(await done.next())
      withExtendedLifetime(Held(timer)) {}
    }
    #expect(EventLoop.main.isIsolatingCurrentContext() == false)
  }

  @Test func sleepersWakeInTheOrderOfTheirTimes() async throws {
    try await onLoop {
      let order = Mailbox<String>()
      loopTask {
        await EventLoop.main.sleep(.milliseconds(40))
        order.put("later")
      }
      loopTask {
        await EventLoop.main.sleep(.milliseconds(1))
        order.put("sooner")
      }
      #expect(await order.next() == "sooner")
      #expect(await order.next() == "later")
    }
  }

  /// sd-event's own accuracy is a quarter of a second: what waits for one short time after another would take long.
  @Test func shortTimesAreNotRoundedUpToLongOnes() async throws {
    try await onLoop {
      let order = Mailbox<String>()
      loopTask {
        await EventLoop.main.sleep(.seconds(8))
        order.put("one long")
      }
      loopTask {
        for _ in 0..<40 { await EventLoop.main.sleep(.milliseconds(1)) }
        order.put("many short")
      }
      #expect(await order.next() == "many short")
    }
  }

  @Test func waitingForADescriptorTellsWhatShowed() async throws {
    try await onLoop {
      var ends: [CInt] = [0, 0]
      try #require(openPair(&ends))
      defer { close(ends[0]) }
      let none = await EventLoop.main.wait(
        descriptor: ends[0], events: PollEvents.input, timeout: .milliseconds(1))
      #expect(none == 0)
      let writable = await EventLoop.main.wait(
        descriptor: ends[1], events: PollEvents.output, timeout: nil)
      #expect(writable & PollEvents.output != 0)
      close(ends[1])
      let hungUp = await EventLoop.main.wait(descriptor: ends[0], events: PollEvents.input, timeout: nil)
      #expect(hungUp != 0)
    }
  }

  @Test func waitingForWhatCannotBeWatchedReturnsAtOnce() async throws {
    let events = try await onLoop {
      await EventLoop.main.wait(descriptor: -1, events: PollEvents.input, timeout: nil)
    }
    #expect(events & PollEvents.error != 0)
  }

  @Test func theLoopNeedsNoSecondThread() throws {
    let daemon = try BusDaemon()
    let output = try Probe.run(["threads"], environment: ["DBUS_SYSTEM_BUS_ADDRESS": daemon.address])
    #expect(output == "1\n")
  }
}

@LoopActor private final class Flag {
  var isSet = false
}

/// Keeps an owned source until it is let go of by name.
final class Held {
  var source: EventSource?
  init(_ source: consuming EventSource) { self.source = consume source }
  init() {}
}
