import LoopThread
import Systemd
import Testing
import Time

@testable import PoddCore

@Suite(.timeLimit(.minutes(10))) struct AsyncSemaphoreTests {
  /// Callers of one semaphore, each of which stays in until it is sent out.
  @LoopActor private final class Callers {
    let semaphore: AsyncSemaphore
    private(set) var entered: [Int] = []

    init(_ count: Int, callers: Int) async {
      semaphore = AsyncSemaphore(count)
      for number in 0..<callers {
        loopTask {
          await self.semaphore.acquire()
          self.entered.append(number)
        }
      }
      await settle()
    }

    func settle() async { await EventLoop.main.sleep(.milliseconds(1)) }
  }

  @Test func asManyAsItCountsAreInAndTheOthersFollowInOrder() async throws {
    try await onLoop {
      let callers = await Callers(2, callers: 5)
      #expect(callers.entered == [0, 1])
      callers.semaphore.release()
      await callers.settle()
      #expect(callers.entered == [0, 1, 2])
      callers.semaphore.release()
      callers.semaphore.release()
      await callers.settle()
      #expect(callers.entered == [0, 1, 2, 3, 4])
    }
  }

  @Test func aHigherCountAdmitsCallersWhoWait() async throws {
    try await onLoop {
      let callers = await Callers(1, callers: 4)
      #expect(callers.entered == [0])
      callers.semaphore.count = 3
      await callers.settle()
      #expect(callers.entered == [0, 1, 2])
    }
  }

  @Test func aLowerCountTakesNothingAwayAndAdmitsNobodyUntilItIsMet() async throws {
    try await onLoop {
      let callers = await Callers(3, callers: 5)
      callers.semaphore.count = 1
      callers.semaphore.release()
      callers.semaphore.release()
      await callers.settle()
      #expect(callers.entered == [0, 1, 2])
      callers.semaphore.release()
      await callers.settle()
      #expect(callers.entered == [0, 1, 2, 3])
    }
  }
}
