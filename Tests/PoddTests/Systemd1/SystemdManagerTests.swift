import CSystemd
import Glibc
import Linux
import LoopThread
import Testing
import Time

@testable import PoddCore
@testable import Systemd

/// A systemd of the test's own that forgets to report the ends of its jobs.
@Suite(.timeLimit(.minutes(10))) struct SystemdManagerTests {
  private static let name = "org.freedesktop.systemd1"
  private static let path = "/org/freedesktop/systemd1"
  private static let job = path + "/job/7"

  /// A message bus that ends with its owner.
  private final class BusDaemon: Sendable {
    let directory: String
    private let pid: pid_t

    init() throws {
      var template = Array("/tmp/podd-bus-XXXXXX".utf8CString)
      let directory = try #require(
        template.withUnsafeMutableBufferPointer { buffer in
          buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
        })
      self.directory = directory
      try Files.replace(
        directory + "/bus.conf",
        with: """
          <!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
           "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
          <busconfig>
            <listen>unix:path=\(directory)/bus</listen>
            <auth>EXTERNAL</auth>
            <policy context="default">
              <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
            </policy>
          </busconfig>
          """, mode: 0o600)
      var ends: [CInt] = [0, 0]
      try #require(
        socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
      let child = try ChildProcess(
        "dbus-daemon",
        [
          "dbus-daemon", "--nofork", "--nopidfile", "--print-address=1",
          "--config-file=\(directory)/bus.conf",
        ], environment: nil, descriptors: [0, ends[1], 2])
      pid = child.pid
      close(ends[1])
      var byte: UInt8 = 0
      // It prints its address when it is there, or ends.
      try #require(read(ends[0], &byte, 1) == 1, "dbus-daemon did not start")
      close(ends[0])
    }

    deinit {
      kill(pid, SIGKILL)
      waitpid(pid, nil, 0)
      for name in ["/bus", "/bus.conf"] { unlink(directory + name) }
      rmdir(directory)
    }

    @LoopActor func connect(_ description: String) throws(BusError) -> Bus {
      try Bus.open("unix:path=\(directory)/bus", attachedTo: EventLoop.main, description: description)
    }
  }

  @LoopActor private final class FakeSystemd {
    private let bus: Bus
    private var slots: [SlotHolder] = []

    private final class SlotHolder {
      let slot: Slot
      init(_ slot: consuming Slot) { self.slot = slot }
    }

    /// - Parameter looks: how often it still has the job when it is asked.
    init(_ daemon: BusDaemon, unitState: String, looks: Int) async throws(BusError) {
      bus = try daemon.connect("systemd")
      var left = looks
      try add(SystemdManagerTests.path) { call in
        call.reply { message throws(BusError) in
          _ = sd_bus_message_append_basic(message.raw, CChar(UInt8(ascii: "o")), SystemdManagerTests.job)
        }
      }
      try add(SystemdManagerTests.job) { call in
        left -= 1
        guard left >= 0 else {
          return call.fail(
            BusError(name: "org.freedesktop.DBus.Error.UnknownObject", message: "there is no such job"))
        }
        Self.reply("running", to: call)
      }
      try add(SystemdManager.objectPath(ofUnit: "a.scope")) { Self.reply(unitState, to: $0) }
      try await bus.requestNameAsync(SystemdManagerTests.name)
    }

    private static func reply(_ text: String, to call: MethodCall) {
      call.reply { message throws(BusError) in
        try message.openContainer(.variant, "s")
        try message.append(text)
        try message.closeContainer()
      }
    }

    private func add(_ path: String, _ answer: @escaping @LoopActor (MethodCall) -> Void) throws(BusError) {
      slots.append(
        SlotHolder(
          try bus.addObject(path: path) { call in
            LoopActor.assumeIsolated { answer(call) }
            return true
          }))
    }
  }

  @Test(
    arguments: [
      ("inactive", 0, JobEnd.finished(.done)), ("failed", 2, .finished(.done)), ("active", 1, .unreported),
    ])
  func aJobWhoseEndNobodyReportsEndsAllTheSame(unitState: String, looks: Int, end: JobEnd) async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let systemd = try await FakeSystemd(daemon, unitState: unitState, looks: looks)
      let manager = try SystemdManager(
        bus: try daemon.connect("podd"), pauseBetweenLooks: .milliseconds(1))
      #expect(try await manager.stopUnit("a.scope") == end)
      withExtendedLifetime(systemd) {}
    }
  }

  @Test func aJobThatSystemdDoesNotEndIsNotWaitedForLongerThanItsPatience() async throws {
    let daemon = try BusDaemon()
    try await onLoop {
      let systemd = try await FakeSystemd(daemon, unitState: "active", looks: .max)
      let manager = try SystemdManager(
        bus: try daemon.connect("podd"), pauseBetweenLooks: .milliseconds(1))
      #expect(try await manager.stopUnit("a.scope", within: .milliseconds(20)) == .unreported)
      withExtendedLifetime(systemd) {}
    }
  }
}
