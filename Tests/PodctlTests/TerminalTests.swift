import Testing
import Time
import TimeLiterals

@testable import PodctlCore

@Suite struct TerminalTests {
  private func style(_ environment: [String: String], terminal: Bool = true) -> Style {
    Style(
      isTerminal: terminal, environment: { environment[$0] }, window: (columns: 100, lines: 30), now: 0)
  }

  @Test(
    arguments: [
      (["TERM": "xterm"], true, true), (["TERM": "xterm"], false, false), (["TERM": "dumb"], true, false),
      ([:], true, false), (["TERM": "xterm", "NO_COLOR": "1"], true, false),
      (["TERM": "xterm", "NO_COLOR": ""], true, true),
      (["TERM": "xterm", "SYSTEMD_COLORS": "0"], true, false),
      (["SYSTEMD_COLORS": "1"], false, true),
    ] as [([String: String], Bool, Bool)])
  func coloursAreForTerminalsThatSupportThem(environment: [String: String], terminal: Bool, expected: Bool) {
    #expect(style(environment, terminal: terminal).colours == expected)
  }

  @Test func theWidthIsTheTerminalsUnlessColumnsSaysOtherwise() {
    #expect(style([:]).columns == 100)
    #expect(style(["COLUMNS": "60"]).columns == 60)
    #expect(style(["COLUMNS": "60"], terminal: false).columns == nil)
  }

  @Test(
    arguments: [
      (nil, "-"), (0, "0B"), (1023, "1023B"), (1024, "1K"), (4_300_000, "4.1M"), (96 << 20, "96M"),
      (UInt64(3) << 30, "3G"), (43_201_331, "41.1M"), (UInt64.max - 1, "15.9E"),
    ] as [(UInt64?, String)])
  func sizesHaveSystemdsFormat(bytes: UInt64?, expected: String) {
    #expect(Units.size(bytes) == expected)
  }

  @Test(arguments: [
    (0, "now"), (2500, "2ms ago"), (3_000_000, "3s ago"), (64_000_000, "1min 4s ago"),
    (320_000_000, "5min ago"), (7_380_000_000, "2h 3min ago"), (25_200_000_000, "7h ago"),
    (93_600_000_000, "1 day 2h ago"), (259_200_000_000, "3 days ago"), (777_600_000_000, "1 week 2 days ago"),
    (5_400_000_000_000, "2 months 1 day ago"),
  ])
  func relativeTimesHaveSystemctlsFormat(distance: Microseconds, expected: String) {
    let now: WallTime = 1_800_000_000_000_000
    #expect(Units.relative(now - distance, now: now) == expected)
  }

  @Test func durationsHaveTwoUnits() {
    #expect(Units.duration(1_234_000) == "1.2s")
    #expect(Units.duration(250_000) == "250ms")
    #expect(Units.duration(3_723_000_000) == "1h 2min")
    #expect(Units.relative(3_000_000, now: 0) == "in 3s")
  }

  @Test(arguments: [(0, 40), (20, 40), (40, 40), (0, 0), (999_999, 1_000_000)])
  func theBarFitsAndNeverSaysDoneTooEarly(done: Int, total: Int) {
    let line = Progress.line(done: done, total: total, width: 50)
    #expect(line.utf8.count <= 49)
    #expect(line.contains("100%") == (done == total))
  }

  @Test(arguments: [("pod-001 ready", 50), ("pod-1000 crash-loop", 80), ("a note that is far too long", 34)])
  func aNoteLeavesTheBarItsLength(note: String, width: Int) {
    let line = Progress.line(done: 1, total: 2, width: width, note: note)
    #expect(line.utf8.count < width)
    let other = Progress.line(done: 1, total: 2, width: width, note: "x")
    #expect(line.prefix { $0 != "]" } == other.prefix { $0 != "]" })
  }

  @Test func aNoteIsLeftOutIfTheBarWouldBeTooShort() {
    #expect(Progress.line(done: 1, total: 2, width: 30, note: "pod-001 ready").hasSuffix("50% 1/2"))
  }

  @Test func theBarGrows() {
    #expect(Progress.line(done: 20, total: 40, width: 34) == "[##########..........]  50% 20/40")
  }
}
