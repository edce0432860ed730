import LoopThread
import Systemd
import Testing
import Time

@testable import PoddCore

@Suite(.timeLimit(.minutes(10))) struct CoalescedTests {
  @Test func callersDuringOneRunShareTheNext() async throws {
    try await onLoop {
      var begun = 0
      let gate = Mailbox<Void>()
      let work = Coalesced { () -> Int in
        begun += 1
        let mine = begun
        await gate.next()
        return mine
      }
      let first = loopTask { await work.run() }
      await EventLoop.main.sleep(.milliseconds(1))
      let others = (0..<3).map { _ in loopTask { await work.run() } }
      await EventLoop.main.sleep(.milliseconds(1))
      #expect(begun == 1)
      gate.put(())
      gate.put(())
      #expect(await first.value == 1)
      for other in others { #expect(await other.value == 2) }
      #expect(begun == 2)
    }
  }

  @Test func aResultIsOfWorkThatBeganAfterTheCall() async throws {
    try await onLoop {
      var begun = 0
      let work = Coalesced { () -> Int in
        begun += 1
        return begun
      }
      #expect(await work.run() == 1)
      #expect(await work.run() == 2)
    }
  }
}
