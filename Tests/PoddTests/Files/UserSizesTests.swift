import Glibc
import LoopThread
import Synchronization
import Systemd
import Testing
import Time

@testable import PoddCore

@Suite(.timeLimit(.minutes(10))) struct UserSizesTests {
  /// Counts that take until they are let go, as those of a directory with millions of files.
  private final class Counts: Sendable {
    let isBlocked = Atomic<Bool>(true)
    let calls = Atomic<Int>(0)

    func count(_ path: String) -> UInt64? {
      calls.add(1, ordering: .relaxed)
      while path == "/huge" && isBlocked.load(ordering: .relaxed) { sched_yield() }
      return path == "/none" ? nil : 7
    }
  }

  @Test func aDirectoryThatTakesLongDelaysNobody() async throws {
    let counts = Counts()
    try await onLoop {
      let sizes = UserSizes { counts.count($0) }
      #expect(await sizes.sizes(of: ["/a", "/none"], within: .minutes(1)) == [7, nil])
      #expect(await sizes.sizes(of: ["/a", "/huge", "/none"], within: .milliseconds(50)) == [7, nil, nil])
      // Its count is still under way, so what is known is returned.
      #expect(await sizes.sizes(of: ["/a", "/huge"], within: .milliseconds(50)) == [7, nil])
      counts.isBlocked.store(false, ordering: .relaxed)
      #expect(await sizes.sizes(of: ["/huge"], within: .minutes(1)) == [7])
      // It took long, so it is not counted again at once.
      let calls = counts.calls.load(ordering: .relaxed)
      #expect(await sizes.sizes(of: ["/huge"], within: .minutes(1)) == [7])
      #expect(counts.calls.load(ordering: .relaxed) == calls)
    }
  }
}
