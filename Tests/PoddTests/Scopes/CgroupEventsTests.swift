import Cgroup
import Glibc
import LoopThread
import Systemd
import Testing
import Time

@testable import PoddCore

/// On a directory of plain files, which epoll cannot watch: the way that does without notifications.
@Suite(.timeLimit(.minutes(10))) struct CgroupEventsTests {
  private final class FakeCgroup: Sendable {
    let root: String

    init(populated: Bool) throws {
      var template = Array("/tmp/podd-test-XXXXXX".utf8CString)
      let made = template.withUnsafeMutableBufferPointer { buffer in
        buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
      }
      root = try #require(made)
      write(populated: populated)
    }

    func write(populated: Bool) {
      guard let file = fopen("\(root)/cgroup.events", "w") else { return }
      fputs("populated \(populated ? 1 : 0)\nfrozen 0\n", file)
      fclose(file)
    }

    deinit {
      unlink("\(root)/cgroup.events")
      rmdir(root)
    }
  }

  @Test func itReturnsOnceTheCgroupIsEmpty() async throws {
    let fake = try FakeCgroup(populated: true)
    try await onLoop {
      let events = CgroupEvents(try Cgroup(path: "", root: fake.root))
      events.watch()
      #expect(events.isPopulated)
      let waiting = loopTask { await events.untilEmpty() }
      await EventLoop.main.sleep(.milliseconds(5))
      fake.write(populated: false)
      await waiting.value
      #expect(!events.isPopulated)
    }
  }

  @Test func theDeadlineEndsTheWait() async throws {
    let fake = try FakeCgroup(populated: true)
    try await onLoop {
      let events = CgroupEvents(try Cgroup(path: "", root: fake.root))
      await events.untilEmpty(by: EventLoop.main.now() + .milliseconds(5))
      #expect(events.isPopulated)
    }
  }

  @Test func aCgroupThatIsGoneHasNoProcesses() async throws {
    try await onLoop {
      let events = CgroupEvents(path: "/pods.slice/no-such-pod.scope")
      #expect(!events.isPopulated)
      await events.untilEmpty()
    }
  }
}
