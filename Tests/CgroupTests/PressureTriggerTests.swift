import Cgroup
import Glibc
import Testing
import Time
import TimeLiterals

/// On plain files: what the kernel does with a trigger is seen on the test machines.
@Suite struct PressureTriggerTests {
  private static func text(some: UInt64, full: UInt64) -> String {
    "some avg10=1.50 avg60=0.00 avg300=0.00 total=\(some)\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=\(full)\n"
  }

  private static func armed(
    _ fake: FakeCgroup, _ kind: PressureTrigger.Kind, stall: Microseconds = .milliseconds(1)
  ) throws -> PressureTrigger {
    try PressureTrigger(kind, stall: stall, window: .seconds(2), in: try fake.open())
  }

  @Test func theKernelIsToldKindStallAndWindow() throws {
    let fake = try FakeCgroup(["memory.pressure": Self.text(some: 0, full: 0)])
    _ = try Self.armed(fake, .full)
    // A plain file keeps what was written: over its beginning, or behind what was read.
    #expect(try fake.open().read("memory.pressure").contains("full 1000 2000000\0"))
  }

  @Test func anEventWithoutAStallIsNotBelieved() throws {
    let fake = try FakeCgroup(["memory.pressure": Self.text(some: 5_000, full: 500)])
    var trigger = try Self.armed(fake, .full)
    try fake.write("memory.pressure", Self.text(some: 9_000, full: 600))
    #expect(try trigger.read() == nil)
    try fake.write("memory.pressure", Self.text(some: 9_000, full: 1_500))
    let reading = try #require(try trigger.read())
    #expect(reading.rose == .milliseconds(1))
    #expect(reading.full?.total == 1_500)
    #expect(reading.some.total == .milliseconds(9))
    #expect(try trigger.read() == nil)
  }

  @Test func someIsAboutItsOwnTotal() throws {
    let fake = try FakeCgroup(["memory.pressure": Self.text(some: 0, full: 0)])
    var trigger = try Self.armed(fake, .some)
    try fake.write("memory.pressure", Self.text(some: 2_500, full: 0))
    #expect(try trigger.read()?.rose == 2_500)
  }

  @Test func aKernelWithoutPressureSaysSo() throws {
    let fake = try FakeCgroup()
    #expect(throws: CgroupError.gone(path: FakeCgroup.path)) { _ = try Self.armed(fake, .some) }
    let path = "/nowhere/pressure"
    #expect(throws: CgroupError.io(path: path, errno: ENOENT)) {
      _ = try PressureTrigger(.some, stall: 1, window: .seconds(2), host: path)
    }
  }

  @Test func whatIsNoPressureFileIsNamed() throws {
    let fake = try FakeCgroup(["memory.pressure": "full of nonsense\n"])
    #expect(throws: CgroupError.self) { _ = try Self.armed(fake, .some) }
  }
}
