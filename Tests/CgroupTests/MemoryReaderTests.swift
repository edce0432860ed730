import Cgroup
import Testing
import TimeLiterals

@Suite struct MemoryReaderTests {
  /// Beginning of memory.stat as Linux 6.12 prints it.
  private static let stat = """
    anon 1048576
    file 3145728
    kernel 77777
    kernel_stack 16384
    sock 0
    shmem 4096
    file_mapped 12
    anon_thp 999
    slab_reclaimable 500
    slab_unreclaimable 600
    slab 1100

    """

  private static func reader(_ files: [String: String]) throws -> MemoryReading {
    let fake = try FakeCgroup(files)
    return try MemoryReader().read(try fake.open())
  }

  @Test func theFiguresAreThoseOfTheirOwnLines() throws {
    let reading = try Self.reader([
      "memory.stat": Self.stat, "memory.current": "4200000\n", "memory.swap.current": "8192\n",
    ])
    var expected = MemoryReading()
    (expected.anon, expected.file, expected.shmem) = (1_048_576, 3_145_728, 4_096)
    (expected.slabUnreclaimable, expected.current, expected.swap) = (600, 4_200_000, 8_192)
    #expect(reading == expected)
  }

  @Test func aKernelWithoutSwapAccountingHasNone() throws {
    #expect(try Self.reader(["memory.stat": Self.stat, "memory.current": "1\n"]).swap == 0)
  }

  @Test(arguments: [
    "", "anon 1\nfile 2\nshmem 3\n", "anon x\nfile 2\nshmem 3\nslab_unreclaimable 4\n",
    "anon 99999999999999999999\nfile 2\nshmem 3\nslab_unreclaimable 4\n", "anon\nfile 2",
  ])
  func aMemoryStatWithoutThemIsNamed(text: String) throws {
    let error = try #require(
      throws: CgroupError.self,
      performing: { _ = try Self.reader(["memory.stat": text, "memory.current": "1\n"]) })
    #expect("\(error)".contains("memory.stat"), "\(error)")
  }

  @Test func aCgroupThatVanishedIsGone() throws {
    let fake = try FakeCgroup(["memory.stat": Self.stat, "memory.current": "1\n"])
    let cgroup = try fake.open()
    fake.vanish()
    #expect(throws: CgroupError.gone(path: FakeCgroup.path)) { _ = try MemoryReader().read(cgroup) }
  }

  @Test func stallsAndProcessorTimeAreRead() throws {
    let fake = try FakeCgroup([
      "memory.pressure":
        "some avg10=0.00 avg60=0.00 avg300=0.00 total=9\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n",
      "cpu.stat": "usage_usec 1234\nuser_usec 1000\n", "memory.high": "max\n", "memory.max": "100\n",
    ])
    let cgroup = try fake.open()
    let reader = MemoryReader()
    #expect(try reader.stalled(cgroup) == 7)
    #expect(reader.cpuUsage(cgroup) == 1234)
    #expect(try reader.number("memory.high", cgroup) == nil)
    #expect(try reader.number("memory.max", cgroup) == 100)
  }
}
