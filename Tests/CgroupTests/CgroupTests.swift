import Cgroup
import Glibc
import Testing

@Suite struct CgroupTests {
  static let gone = CgroupError.gone(path: FakeCgroup.path)

  @Test func aCgroupThatIsNotThereIsGone() throws {
    let fake = try FakeCgroup()
    fake.vanish()
    #expect(throws: Self.gone) { _ = try fake.open() }
  }

  @Test func aFileIsReadWhole() throws {
    let text = String(repeating: "anon 123456789\n", count: 1_000)
    let fake = try FakeCgroup(["memory.stat": text, "empty": ""])
    let cgroup = try fake.open()
    #expect(try cgroup.read("memory.stat") == text)
    #expect(try cgroup.read("empty") == "")
  }

  @Test func moreThanACgroupFileEverHoldsIsCut() throws {
    let fake = try FakeCgroup(["huge": String(repeating: "x", count: 200_000)])
    let cgroup = try fake.open()
    #expect(try cgroup.read("huge") == "")
  }

  @Test func bytesThatAreNoTextDoNotStopTheReader() throws {
    let fake = try FakeCgroup()
    let file = open("\(fake.root)\(FakeCgroup.path)/odd", O_WRONLY | O_CREAT, 0o644)
    try #require(write(file, [0xFF, 0x00, 0x41] as [UInt8], 3) == 3)
    close(file)
    let cgroup = try fake.open()
    #expect(try cgroup.read("odd") == "\u{FFFD}\u{0}A")
  }

  @Test func aCgroupThatVanishesUnderTheReaderIsGone() throws {
    let fake = try FakeCgroup(["memory.current": "1\n", "cgroup.events": "populated 1\n"])
    let cgroup = try fake.open()
    #expect(try cgroup.isPopulated())
    fake.vanish()
    #expect(throws: Self.gone) { _ = try cgroup.read("memory.current") }
    #expect(throws: Self.gone) { try cgroup.write("cgroup.kill", "1") }
    #expect(throws: Self.gone) { _ = try cgroup.processes() }
    #expect(throws: Self.gone) { _ = try cgroup.open("memory.events") }
    #expect(try !cgroup.isPopulated())
  }

  @Test func aCgroupOfTheSameNameIsAnotherOne() throws {
    let fake = try FakeCgroup(["cgroup.events": "populated 1\n"])
    let cgroup = try fake.open()
    fake.vanish()
    try fake.create()
    try fake.write("cgroup.events", "populated 1\n")
    #expect(try !cgroup.isPopulated())
    #expect(try fake.open().isPopulated())
  }

  @Test func whatMayNotBeReadNamesTheFileAndTheReason() throws {
    // A directory in the place of a file: an error that root gets too.
    let fake = try FakeCgroup()
    mkdir("\(fake.root)\(FakeCgroup.path)/memory.max", 0o755)
    defer { rmdir("\(fake.root)\(FakeCgroup.path)/memory.max") }
    let cgroup = try fake.open()
    let error = CgroupError.io(path: "\(FakeCgroup.path)/memory.max", errno: EISDIR)
    #expect(throws: error) { _ = try cgroup.read("memory.max") }
    #expect(throws: error) { try cgroup.write("memory.max", "1") }
    #expect(error.description == "\(FakeCgroup.path)/memory.max: Is a directory")
  }

  @Test func populatedIsReadFromItsOwnLine() throws {
    let fake = try FakeCgroup(["cgroup.events": "frozen 1\npopulated 0\n"])
    let cgroup = try fake.open()
    #expect(try !cgroup.isPopulated())
    try fake.write("cgroup.events", "populated 1\nfrozen 0\n")
    #expect(try cgroup.isPopulated())
    try fake.write("cgroup.events", "frozen 0\n")
    #expect(
      throws: CgroupError.malformed(path: "\(FakeCgroup.path)/cgroup.events", line: "populated missing")
    ) {
      _ = try cgroup.isPopulated()
    }
  }

  @Test func processesOfOtherNamespacesHaveNoNumberHere() throws {
    // The kernel prints 0 for them, and a zero sent to systemd would mean podd itself (facts 2).
    let fake = try FakeCgroup(["cgroup.procs": "12\n0\n345\n"])
    #expect(try fake.open().processes() == [12, 345])
    try fake.write("cgroup.procs", "")
    #expect(try fake.open().processes() == [])
  }

  @Test func aLongListOfProcessesIsNotCutInANumber() throws {
    let fake = try FakeCgroup([:])
    let all = (1...20_000).map { Int32(1_000_000 + $0) }
    try fake.write("cgroup.procs", all.map { "\($0)\n" }.joined())
    #expect(try fake.open().processes() == all)
    // Eight bytes each: the limit is in the middle of the third.
    #expect(try fake.open().read("cgroup.procs", limit: 20) == "1000001\n1000002\n")
    #expect(try fake.open().read("cgroup.procs", limit: 5) == "")
  }

  @Test func aControlFileIsWrittenInOneGo() throws {
    let fake = try FakeCgroup(["cgroup.freeze": ""])
    let cgroup = try fake.open()
    try cgroup.write("cgroup.freeze", "1")
    #expect(try cgroup.read("cgroup.freeze") == "1")
    #expect(throws: Self.gone) { try cgroup.write("no.such.file", "1") }
  }

  @Test func aFileThatStaysOpenIsReadAgainAndAgainAndNotInherited() throws {
    let fake = try FakeCgroup(["memory.events": "oom 0\n"])
    let file = try fake.open().open("memory.events")
    #expect(fcntl(file.descriptor, F_GETFD) & FD_CLOEXEC != 0)
    for _ in 0..<2 {
      #expect(try file.read { String(decoding: $0, as: UTF8.self) } == "oom 0\n")
    }
  }

  @Test func theParentOfAScopeIsItsSlice() {
    #expect(Cgroup.parent(of: "/pods.slice/pods-free.slice/pod-001-1.scope") == "/pods.slice/pods-free.slice")
    #expect(Cgroup.parent(of: "/pods.slice") == "/")
  }
}
