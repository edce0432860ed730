import LoopThread
import Systemd
import Testing
import Time

@testable import PoddCore

@Suite(.timeLimit(.minutes(10))) struct KeyedLockTests {
  @Test func oneCallerPerKeyIsInAndTheOthersFollowInOrder() async throws {
    try await onLoop {
      let lock = KeyedLock<String>()
      var entered: [String] = []
      for (key, name) in [("alice", "first"), ("alice", "second"), ("bob", "other"), ("alice", "third")] {
        loopTask {
          await lock.take(key)
          entered.append(name)
        }
      }
      await EventLoop.main.sleep(.milliseconds(1))
      #expect(entered == ["first", "other"])
      lock.end("alice")
      await EventLoop.main.sleep(.milliseconds(1))
      #expect(entered == ["first", "other", "second"])
      lock.end("alice")
      await EventLoop.main.sleep(.milliseconds(1))
      #expect(entered == ["first", "other", "second", "third"])
    }
  }

  @Test func aKeyIsFreeAgainAfterItsLastCaller() async throws {
    try await onLoop {
      let lock = KeyedLock<String>()
      await lock.take("alice")
      lock.end("alice")
      await lock.take("alice")
      lock.end("alice")
    }
  }
}
