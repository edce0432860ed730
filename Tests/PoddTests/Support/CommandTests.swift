import Glibc
import Linux
import LoopThread
import Systemd
import Testing
import Time

@testable import PoddCore

@Suite(.timeLimit(.minutes(10))) struct CommandTests {
  @Test func aProgramThatTakesTooLongLeavesNoZombie() async throws {
    // A name of its own, by which its process is found.
    let program = "/tmp/late-\(getpid())"
    #expect(symlink("/bin/sleep", program) == 0)
    defer { unlink(program) }
    try await onLoop {
      #expect(await Command.run(program, ["late", "3600"], timeout: .milliseconds(20)) == nil)
      while try processes(named: "late-\(getpid())") > 0 { await EventLoop.main.sleep(.milliseconds(1)) }
      #expect(await Command.run("/bin/false", ["false"], timeout: .minutes(1)) == 1)
    }
  }

  /// Also those that have ended, and whose status nobody has taken.
  private nonisolated func processes(named name: String) throws -> Int {
    try Files.names(in: "/proc").count { pid in
      Int32(pid) != nil && readSmallFile("/proc/\(pid)/stat")?.contains("(\(name.prefix(15)))") == true
    }
  }
}
