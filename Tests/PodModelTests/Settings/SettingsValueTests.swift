import Linux
import PodModel
import Testing
import Time
import TimeLiterals

@Suite struct SettingsValueTests {
  static let infinity: UInt64? = nil

  @Test(
    arguments: [
      ("0", 0), ("1", 1), ("96M", 96 << 20), ("1G", 1 << 30), ("2T", 2 << 40), ("1K", 1024), ("7B", 7),
      ("1.5G", 3 << 29), ("0.5K", 512), (".5K", 512), ("1G 512M", 3 << 29),
      ("1G512M", 3 << 29),
      ("3 K", 3072), ("1P", 1 << 50), ("1E", 1 << 60), ("2700M", 2700 << 20), ("infinity", nil),
      ("18446744073709551614", UInt64.max - 1),
    ] as [(String, UInt64?)])
  func size(text: String, bytes: UInt64?) throws {
    #expect(try SettingsValue.size(text) == bytes)
  }

  @Test(arguments: [
    "", " ", "M", "-1", "+1", "1X", "1MB", "1m", "1k", "10%", "1 2", "512M 1G", "1M1M", "16E", "1..5", "5.K",
    "1.2.3",
    "18446744073709551615", "99999999999999999999", "0x10", "Infinity", "1M,", "١",
  ])
  func notASize(text: String) {
    #expect(throws: ValueError.self) { try SettingsValue.size(text) }
  }

  @Test(arguments: [
    ("10%", 409_997_312), ("100%", 4_100_000_000 & ~4095), ("0%", 0), ("12.5%", 512_499_712),
    ("1.25%", 51_249_152), ("64M", 64 << 20),
  ])
  func memoryPercentages(text: String, bytes: UInt64) throws {
    #expect(try SettingsValue.memory(text, physicalMemory: 4_100_000_000) == bytes)
  }

  @Test(arguments: ["101%", "100.01%", "-1%", "%", "1.%", ".5%", "1.234%", "10 %", "1e2%", "10%%"])
  func notAMemoryPercentage(text: String) {
    #expect(throws: ValueError.self) { try SettingsValue.memory(text, physicalMemory: 1 << 30) }
  }

  @Test func percentagesOfTheLargestMemory() throws {
    #expect(try SettingsValue.memory("100%", physicalMemory: .max) == .max - 4095)
  }

  @Test(
    arguments: [
      ("10", 10_000_000), ("10s", 10_000_000), ("5min 20s", 320_000_000), ("5min20s", 320_000_000),
      ("1h", 3_600_000_000), ("1.5h", 5_400_000_000), ("100ms", 100_000), ("7us", 7), ("7µs", 7), ("7μs", 7),
      ("2 days", 172_800_000_000), ("1w", 604_800_000_000), ("1M", 2_629_800_000_000), ("1m", 60_000_000),
      ("1y", 31_557_600_000_000), ("0", 0), ("infinity", .infinity), (".5s", 500_000), ("1min 1", 61_000_000),
      ("3 min", 180_000_000), ("1hr", 3_600_000_000), ("90sec", 90_000_000),
    ] as [(String, Microseconds)])
  func timeSpan(text: String, microseconds: Microseconds) throws {
    #expect(try SettingsValue.timeSpan(text) == microseconds)
  }

  @Test(arguments: [
    "", "s", "-1s", "+1", "1 x", "10S", "1.2.3s", "infinitys", "99999999999999999999", "999999999999y", "1s,",
    ".",
  ])
  func notATimeSpan(text: String) {
    #expect(throws: ValueError.self) { try SettingsValue.timeSpan(text) }
  }

  @Test func kindsOfTimeSpans() throws {
    #expect(try SettingsValue.timeout("0") == .infinity)
    #expect(try SettingsValue.timeout("infinity") == .infinity)
    #expect(try SettingsValue.idle("infinity") == 0)
    #expect(try SettingsValue.idle("5min") == .minutes(5))
    #expect(throws: ValueError.self) { try SettingsValue.interval("0") }
    #expect(throws: ValueError.self) { try SettingsValue.interval("infinity") }
  }

  @Test(arguments: [
    ("yes", true), ("Y", true), ("TRUE", true), ("t", true), ("on", true), ("1", true),
    ("no", false), ("n", false), ("False", false), ("f", false), ("off", false), ("0", false),
  ])
  func boolean(text: String, value: Bool) throws {
    #expect(try SettingsValue.boolean(text) == value)
  }

  @Test(arguments: ["", "2", "ja", "yes "])
  func notABoolean(text: String) {
    #expect(throws: ValueError.self) { try SettingsValue.boolean(text) }
  }

  @Test(arguments: ["", "0", "1001", "010", "+5", "-5", "0x5", "5 ", "1.0", "99999999999999999999"])
  func notAnInteger(text: String) {
    #expect(throws: ValueError.self) { try SettingsValue.integer(text, in: 1...1000) }
  }

  @Test func countsAndWeights() throws {
    #expect(try SettingsValue.count("640") == 640)
    #expect(try SettingsValue.count("infinity") == nil)
    #expect(try SettingsValue.cpuWeight("idle") == 0)
    #expect(try SettingsValue.weight("10000") == 10_000)
    for text in ["0", "", "10%", "-1"] {
      #expect(throws: ValueError.self) { try SettingsValue.count(text) }
    }
    for text in ["0", "10001", "idle"] {
      #expect(throws: ValueError.self) { try SettingsValue.weight(text) }
    }
  }

  @Test(arguments: [("1%", 10_000), ("50%", 500_000), ("100%", 1_000_000), ("400%", 4_000_000)])
  func cpuQuota(text: String, microseconds: Microseconds) throws {
    #expect(try SettingsValue.cpuQuota(text) == microseconds)
  }

  @Test(arguments: ["", "50", "0%", "12.5%", "-1%", "%", "050%", "infinity", "9999999%"])
  func notACPUQuota(text: String) {
    #expect(throws: ValueError.self) { try SettingsValue.cpuQuota(text) }
  }

  @Test(
    arguments: [
      ("SIGTERM", 15), ("TERM", 15), ("15", 15), ("SIGHUP", 1), ("KILL", 9), ("USR2", 12), ("IOT", 6),
      ("SIGRTMIN+3", 37), ("RTMIN", 34), ("RTMAX-1", 63), ("64", 64),
    ] as [(String, Int32)])
  func signal(text: String, number: Int32) throws {
    #expect(try SettingsValue.signal(text) == number)
  }

  @Test(arguments: ["", "0", "65", "-1", "term", "SIG", "SIGSIGTERM", "RTMIN+31", "015", "RTMIN+"])
  func notASignal(text: String) {
    #expect(throws: ValueError.self) { try SettingsValue.signal(text) }
  }

  @Test func everySignalHasAName() throws {
    for number in Int32(1)...64 {
      let name = signalName(number)
      #expect(try SettingsValue.signal(name) == number)
    }
    #expect(signalName(9) == "KILL")
  }

  @Test(arguments: [
    ("/", "/"), ("/a/b", "/a/b"), ("//a///b/", "/a/b"), ("/a/./b", "/a/b"), ("/a..b", "/a..b"), ("/ü", "/ü"),
  ])
  func path(text: String, tidy: String) throws {
    #expect(try SettingsValue.absolutePath(text) == tidy)
    #expect(try SettingsValue.optionalPath("-" + text) == "-" + tidy)
  }

  @Test(arguments: ["", "a/b", "./a", "/a/../b", "/..", "~/a", "/a\nb", "+/a", "--/a"])
  func notAPath(text: String) {
    #expect(throws: ValueError.self) { try SettingsValue.optionalPath(text) }
  }

  @Test func portRange() throws {
    #expect(try SettingsValue.portRange("10001-19999") == 10001...19999)
    #expect(try SettingsValue.portRange("2000-2000") == 2000...2000)
    for text in ["", "10001", "2-1", "3000-2000", "1023-2000", "2000-65536", "2000-3000-4000", "2000 - 3000"]
    {
      #expect(throws: ValueError.self) { try SettingsValue.portRange(text) }
    }
  }

  @Test func names() throws {
    #expect(try SettingsValue.tierName("free_2") == "free_2")
    #expect(try SettingsValue.workloadName("my-app") == "my-app")
    for text in ["", "Free", "a-b", "a.b", "a/b", "ü", String(repeating: "a", count: 33)] {
      #expect(throws: ValueError.self) { try SettingsValue.tierName(text) }
    }
  }

  @Test func environmentAssignments() throws {
    for text in ["A=", "A=b", "_a1=x=y", "A=\t\n"] {
      #expect(try SettingsValue.environmentAssignment(text) == text)
    }
    for text in ["", "A", "=x", "1A=x", "A-B=x", "A B=x", "Ä=x", "A=\u{1B}"] {
      #expect(throws: ValueError.self) { try SettingsValue.environmentAssignment(text) }
    }
  }
}
