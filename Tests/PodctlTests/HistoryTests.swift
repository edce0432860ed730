import ArgumentParser
import PodAPI
import PodModel
import Testing
import Time
import TimeLiterals

@testable import PodctlCore

@Suite struct HistoryTests {
  private static let start: Int64 = 29_000_000
  private static let now = WallTime.epoch + .minutes(UInt64(start + 1440))

  private func minute(_ at: Int64, generation: Int = 1, held: UInt64 = 10 << 20) -> MemoryMinute {
    MemoryMinute(
      minute: Self.start + at, generation: generation, anon: held, swap: 0, file: 2 << 20,
      current: held + (3 << 20),
      currentMax: held + (5 << 20), activeUsers: 4, stalledSome: .milliseconds(600), stalledFull: 1,
      cpu: .seconds(6))
  }

  private func terminal(unicode: Bool) -> Style {
    var style = Style()
    style.isTerminal = true
    style.unicode = unicode
    return style
  }

  // MARK: Trace

  @Test func aTraceHasTheDocumentedColumns() {
    let trace = HistoryTable.trace([minute(0), minute(1), minute(5, held: 11 << 20)])
    #expect(
      String(decoding: trace, as: UTF8.self) == """
        time_s,anon,swap,file,current,active_users
        0,10485760,0,2097152,13631488,4
        60,10485760,0,2097152,13631488,4
        300,11534336,0,2097152,14680064,4

        """)
    #expect(HistoryTable.trace([]).count == 43)
  }

  @Test func aTraceIsOfOneGeneration() {
    let all = [minute(0), minute(1), minute(1, generation: 2), minute(2, generation: 2)]
    #expect(HistoryTable.lastGeneration(all).map(\.generation) == [2, 2])
    #expect(HistoryTable.lastGeneration([]).isEmpty)
  }

  // MARK: Table

  @Test func anHourHasALinePerMinuteAndLongTimesHaveFewLines() {
    #expect(HistoryTable.step(of: 60) == 1)
    #expect(HistoryTable.step(of: 43_200) == 720)
    for length in [Int64(73), 1440, 10_080, 43_200, 100_000] {
      #expect(length / HistoryTable.step(of: length) <= 72)
    }
  }

  @Test func aLineHasTheLeastUnreclaimableMemoryAndTheHighestTotal() {
    // Groups are aligned to the step and never contain two generations.
    let groups = HistoryTable.grouped(
      [minute(0), minute(1, held: 5 << 20), minute(4), minute(5), minute(6, generation: 2)], step: 5)
    #expect(groups.map(\.count) == [3, 1, 1])
    #expect(groups.first?.minute.held == 5 << 20)
    #expect(groups.first?.minute.currentMax == 15 << 20)
    #expect(groups.first?.minute.cpu == .seconds(18))
  }

  @Test func aPipeGetsAlignedText() {
    let lines = HistoryTable.page([minute(0), minute(1)], Style()).split(separator: "\n")
    #expect(lines.count == 3)
    let words = lines[1].split(separator: " ").dropFirst(2).map(String.init)
    #expect(words == ["1", "10M", "0B", "2M", "13M", "15M", "4", "1%", "10%"])
    #expect(HistoryTable.page([], Style()) == "")
    #expect(HistoryTable.page([], terminal(unicode: true)).contains("No minutes"))
  }

  // MARK: Recent memory

  @Test func aLeakShowsAsGrowth() throws {
    // 1 MB a minute for ten hours.
    let leak = (840..<1440).map { minute($0, held: UInt64($0 - 830) << 20) }
    let recent = RecentMemory(leak, now: Self.now)
    let hour = try #require(recent.hour)
    #expect(abs(hour.perHour - Double(60 << 20)) < 1)
    #expect(hour.to == 609 << 20)
    let day = try #require(recent.day)
    #expect(day.from == 10 << 20)
    #expect(abs(day.perHour - Double(60 << 20)) < 1)
    let lines = recent.lines(terminal(unicode: true)).map(\.text)
    #expect(lines.count == 2)
    #expect(lines[0].contains("+60M an hour"))
    #expect(lines[1].contains("10M to 609M held in 10h"))
    #expect(lines[1].hasPrefix("          "))
    #expect(!recent.lines(terminal(unicode: false)).contains { !$0.text.utf8.allSatisfy { $0 < 0x80 } })
  }

  @Test func constantMemoryIsSteadyAndAShortDayIsLeftOut() {
    let flat = RecentMemory((0..<1440).map { minute($0) }, now: Self.now)
    #expect(flat.lines(terminal(unicode: false)).allSatisfy { $0.text.hasSuffix("steady") })
    // Ten minutes give no separate line for the day.
    let young = RecentMemory((1430..<1440).map { minute($0) }, now: Self.now)
    #expect(young.hour != nil && young.day == nil)
    let none = RecentMemory([minute(1439)], now: Self.now)
    #expect(none.hour == nil && none.day == nil)
    #expect(none.json.text == #"{"hour":null,"day":null}"#)
  }

  @Test func onlyTheLastGenerationCounts() throws {
    let minutes =
      (1380..<1410).map { minute($0, held: 90 << 20) } + (1410..<1440).map { minute($0, generation: 2) }
    #expect(try #require(RecentMemory(minutes, now: Self.now).hour).from == 10 << 20)
  }

  @Test func aCurveIsScaledFromItsLeastToItsGreatestValue() {
    #expect(RecentMemory.sparkline([1000, 1500, nil, 2000]) == "▁▄ █")
    #expect(RecentMemory.sparkline([1000, 1001, 1000]) == "▁▁▁")
    #expect(RecentMemory.sparkline([nil, nil]) == "")
    #expect(RecentMemory.sparkline([0, 0]) == "▁▁")
    #expect(RecentMemory.sparkline([.max, 0]).count == 2)
  }

  // MARK: Time

  @Test(arguments: [
    "", "x", "-", "-x", "ago", "x ago", "2026-13-01", "2026-02-30", "25:00", "10:0x", "@", "@-1",
    "2026-11-22 10:00 x", "2026-11-22T10:00", "10", "1:2:3:4", "99999-01-01",
  ])
  func anInvalidTimeIsRefused(text: String) {
    #expect(throws: ValueError.self) { try TimeArgument.parse(text, now: Self.now) }
  }

  @Test func timesHaveSystemdsFormat() throws {
    func parse(_ text: String) throws -> WallTime { try TimeArgument.parse(text, now: Self.now) }
    #expect(try parse("now") == Self.now)
    #expect(try parse("-2h") == Self.now - .hours(2))
    #expect(try parse("1h 30min ago") == Self.now - .minutes(90))
    #expect(try parse("@1000") == .epoch + .seconds(1000))
    #expect(try parse("-100y") == 0)
    let today = try parse("today")
    #expect(today <= Self.now && Self.now - today < .hours(25))
    let yesterday = try parse("yesterday")
    #expect((Microseconds.hours(23) ... .hours(25)).contains(today - yesterday))
    #expect(Units.local(try parse("2026-11-22 10:05:07"), "%Y-%m-%d %H:%M:%S") == "2026-11-22 10:05:07")
    #expect(Units.local(try parse("2026-11-22"), "%Y-%m-%d %H:%M:%S") == "2026-11-22 00:00:00")
    #expect(Units.local(try parse("10:05"), "%H:%M:%S") == "10:05:00")
  }

  @Test(arguments: [
    ["history"], ["history", "alice"], ["history", "pod-001", "--since", "x"],
    ["history", "pod-001", "--csv", "--json"],
    ["history", "pod-001", "--since", "-1h", "--until", "-2h"],
  ])
  func wrongUsageIsStatus64(arguments: [String]) {
    do {
      _ = try Podctl.parseAsRoot(arguments)
      Issue.record("\(arguments) was accepted")
    } catch {
      #expect(Podctl.exitCode(for: error).rawValue == 64)
    }
  }

  @Test func aMinuteHasItsKeys() {
    #expect(
      minute(0).json.text
        == #"{"time":"2025-02-19T21:20:00Z","generation":1,"anon":10485760,"swap":0,"file":2097152,"#
        + #""current":13631488,"current_max":15728640,"active_users":4,"pressure_some_seconds":0.6,"#
        + #""pressure_full_seconds":1e-06,"cpu_seconds":6.0}"#)
  }
}
