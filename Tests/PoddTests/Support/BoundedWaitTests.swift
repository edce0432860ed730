import LoopThread
import Systemd
import Testing
import Time

@testable import PoddCore

@Suite(.timeLimit(.minutes(10))) struct BoundedWaitTests {
  @Test func aReportEndsTheWait() async throws {
    try await onLoop {
      let wait = BoundedWait<String>()
      loopTask { wait.finish("done") }
      #expect(await wait.report(within: .infinity) == "done")
    }
  }

  @Test func withoutAReportTheWaitEndsAllTheSameAndMayBeContinued() async throws {
    try await onLoop {
      let wait = BoundedWait<String>()
      #expect(await wait.report(within: .milliseconds(1)) == nil)
      #expect(await wait.report(within: .zero) == nil)
      wait.finish("late")
      #expect(await wait.report(within: .infinity) == "late")
    }
  }

  @Test func theFirstReportCounts() async throws {
    try await onLoop {
      let wait = BoundedWait<String>()
      wait.finish("first")
      wait.finish("second")
      #expect(await wait.report(within: .zero) == "first")
    }
  }
}
