import Cgroup
import Testing
import TimeLiterals

@Suite struct CgroupFilesTests {
  private func malformed(_ line: String) -> CgroupError { .malformed(path: "f", line: line) }

  @Test func aLimitIsANumberOrNone() throws {
    #expect(try CgroupFiles.limit("100663296\n") == 100_663_296)
    #expect(try CgroupFiles.limit("0\n") == 0)
    #expect(try CgroupFiles.limit("max\n") == nil)
    #expect(try CgroupFiles.limit("18446744073709551615") == .max)
    #expect(try CgroupFiles.limit("12 \t\n\n") == 12)
  }

  @Test(arguments: [
    "", "\n", "-1", "1.5", "max max", "maximum", "18446744073709551616", "12 13", "0x10", " 12",
  ])
  func whatIsNoLimitIsRefused(text: String) {
    #expect(throws: CgroupError.self) { _ = try CgroupFiles.limit(text, path: "f") }
    #expect(throws: CgroupError.self) { _ = try CgroupFiles.number(text, path: "f") }
  }

  @Test func aNumberIsNeverMax() throws {
    #expect(try CgroupFiles.number("42\n") == 42)
    #expect(throws: malformed("max")) { _ = try CgroupFiles.number("max\n", path: "f") }
  }

  @Test func cpuMaxIsQuotaAndPeriod() throws {
    let half = try CgroupFiles.cpuMax("50000 100000\n")
    #expect(half == (50_000, 100_000))
    let free = try CgroupFiles.cpuMax("max 100000\n")
    #expect(free.quota == nil && free.period == 100_000)
  }

  @Test(arguments: ["", "max", "50000", "a 100000", "50000 max", "1 2 3", "50000 -1"])
  func whatIsNoCPUMaxIsRefused(text: String) {
    #expect(throws: malformed(text)) { _ = try CgroupFiles.cpuMax(text, path: "f") }
  }

  @Test func aFlatKeyedFileKeepsWhatANewerKernelAdds() throws {
    let events = try CgroupFiles.flatKeyed("low 0\nhigh 2\nmax 7\noom 1\noom_kill 1\noom_group_kill 0\n")
    #expect(events["max"] == 7)
    #expect(events["oom_group_kill"] == 0)
    #expect(events.count == 6)
    #expect(try CgroupFiles.flatKeyed("").isEmpty)
  }

  @Test(arguments: ["oom", "oom 1 2", "oom x", "oom -1", "oom 18446744073709551616"])
  func aFlatKeyedFileWithABadLineIsRefused(line: String) {
    #expect(throws: malformed(line)) { _ = try CgroupFiles.flatKeyed("low 0\n\(line)\nmax 1\n", path: "f") }
  }

  @Test func aKeyIsFoundByItsWholeName() {
    let text = "oom_kill 3\noom 1\nanon_thp 9\nanon 8\nbad x\nbare\n"
    #expect(CgroupFiles.value(of: "oom", in: text) == 1)
    #expect(CgroupFiles.value(of: "oom_kill", in: text) == 3)
    #expect(CgroupFiles.value(of: "anon", in: text) == 8)
    for key in ["oom_", "kill", "bad", "bare", "", "file"] {
      #expect(CgroupFiles.value(of: key, in: text) == nil, "\(key)")
    }
  }

  @Test func pressureHasTwoLines() throws {
    let text = """
      some avg10=12.34 avg60=5.00 avg300=0.01 total=123456
      full avg10=1.00 avg60=0.00 avg300=0.00 total=789

      """
    let (some, full) = try CgroupFiles.pressure(text)
    #expect(some.avg10 == 12.34 && some.avg60 == 5 && some.avg300 == 0.01 && some.total == 123_456)
    #expect(full?.total == 789)
  }

  @Test func cpuPressureMayHaveNoFullLine() throws {
    // Kernels before 5.13.
    let (some, full) = try CgroupFiles.pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
    #expect(some == CgroupFiles.Pressure())
    #expect(full == nil)
  }

  @Test func pressureKeepsReadingPastNewLinesAndFields() throws {
    let text = "some avg10=1.00 avg60=0 avg300=0 total=5 max=9\nhalf avg10=2.00 total=6\n"
    #expect(try CgroupFiles.pressure(text).some.total == 5)
  }

  @Test(arguments: [
    "some avg10", "some avg10=x", "some avg10=nan", "some avg10=inf", "some total=-1", "some total=",
    "some =1 avg10",
  ])
  func aBadPressureLineIsRefused(line: String) {
    #expect(throws: malformed(line)) { _ = try CgroupFiles.pressure(line, path: "f") }
  }

  @Test func pressureWithoutItsFirstLineIsRefused() {
    #expect(throws: CgroupError.self) { _ = try CgroupFiles.pressure("") }
    #expect(throws: CgroupError.self) { _ = try CgroupFiles.pressure("full avg10=0 total=0\n") }
  }

  @Test func anErrorQuotesTheLinePrintably() {
    let error = malformed("a..b")
    #expect(throws: error) { _ = try CgroupFiles.number("a\u{1B}\u{7F}b", path: "f") }
    #expect(error.description == "f: cannot read \"a..b\"")
    do throws(CgroupError) {
      _ = try CgroupFiles.number(String(repeating: "x", count: 10_000), path: "f")
    } catch {
      #expect(error.description.utf8.count < 120)
    }
  }
}
