import ArgumentParser
import PodAPI
import PodModel
import Testing
import Time
import TimeLiterals

@testable import PodctlCore

/// Holds a value with mutating methods in a class, because #expect copies structs.
private final class Box<Value> {
  var value: Value
  init(_ value: Value) { self.value = value }
}

extension Box<TopKeys> {
  fileprivate func read(_ bytes: [UInt8]) -> [TopKey] { value.read(bytes) }
}

extension Box<TopReadings> {
  fileprivate func rows(_ usages: [UsageRow], _ counted: CountedRequests? = nil) -> [TopRow] {
    value.rows(usages, counted)
  }
}

@Suite struct TopTests {
  private func usage(
    _ pod: String, memory: UInt64? = 10 << 20, cpu: Microseconds? = 0, at: LoopTime? = .zero + .seconds(1),
    generation: UInt64 = 1,
    users: UInt32 = 20, restarts: UInt64 = 0, pressure: UInt32? = 0, state: String = "ready"
  ) -> UsageRow {
    var row = UsageRow(pod: pod, tier: "free", state: state)
    row.memoryCurrent = memory
    row.memoryMax = 96 << 20
    row.memoryHigh = 64 << 20
    row.cpuUsage = cpu
    row.readAt = at
    row.generation = generation
    row.users = users
    row.restarts = restarts
    row.pressure = pressure
    return row
  }

  private func style(columns: Int? = 120, lines: Int = 24) -> Style {
    var style = Style()
    style.isTerminal = true
    style.columns = columns
    style.lines = lines
    return style
  }

  private func view(_ count: Int) -> TopView {
    var view = TopView()
    view.rows = TopReadings.first((1...count).map { usage("pod-\($0 + 1000)", memory: UInt64($0) << 20) })
    return view
  }

  // MARK: Keys

  @Test func keysAreDecodedAlsoFromPieces() {
    let keys = Box(TopKeys())
    #expect(keys.read(Array("mcprunslR".utf8)) == TopOrder.allCases.map { .order($0) } + [.reverse])
    #expect(keys.read(Array("q\u{3}\u{4}".utf8)) == [.quit, .quit, .quit])
    #expect(keys.read([0x1B]) == [])
    #expect(keys.read(Array("[5".utf8)) == [])
    #expect(
      keys.read(Array("~\u{1B}OA\u{1B}[B\u{1B}[6~\u{1B}[H\u{1B}[F".utf8)) == [
        .pageUp, .up, .down, .pageDown, .home, .end,
      ])
    // A lone escape, then a key; unknown sequences; bytes that are not UTF-8.
    #expect(keys.read(Array("\u{1B}q\u{1B}[15~\u{1B}[1;5Cx".utf8) + [0xFF, 0x80]) == [.quit])
    #expect(keys.read(Array("\u{1B}[99999999999999q".utf8)).contains(.quit))
  }

  @Test func everyOrderHasAKeyOfItsOwn() {
    #expect(Set(TopOrder.allCases.map(\.key)).count == TopOrder.allCases.count)
  }

  // MARK: CPU

  @Test func cpuIsTheUsageBetweenTwoSamples() {
    let readings = Box(TopReadings())
    #expect(readings.rows([usage("pod-001", cpu: .milliseconds(500))]).first?.cpu == nil)
    let half = readings.rows([usage("pod-001", cpu: .seconds(1), at: .zero + .seconds(2))])
    #expect(half.first?.cpu == 50)
    // podd returned the same sample again.
    #expect(readings.rows([usage("pod-001", cpu: .seconds(1), at: .zero + .seconds(2))]).first?.cpu == 50)
    #expect(readings.rows([usage("pod-001", cpu: .seconds(5), at: .zero + .seconds(4))]).first?.cpu == 200)
  }

  @Test func aNewGenerationAndABackwardCounterHaveNoUsageYet() {
    let readings = Box(TopReadings())
    _ = readings.rows([usage("pod-001", cpu: .seconds(9)), usage("pod-002", cpu: .seconds(9))])
    let rows = readings.rows([
      usage("pod-001", cpu: 100, at: .zero + .seconds(2), generation: 2),
      usage("pod-002", cpu: 100, at: .zero + .seconds(2)),
    ])
    #expect(rows.map(\.cpu) == [nil, nil])
    // A stopped pod has no sample, and no usage with the first sample after its restart.
    _ = readings.rows([usage("pod-001", cpu: nil, at: nil)])
    #expect(
      readings.rows([usage("pod-001", cpu: 200, at: .zero + .seconds(9), generation: 2)]).first?.cpu == nil)
  }

  // MARK: Requests

  /// What podd says at a second after it was started: requests of a pod, each of so many milliseconds.
  private func counted(_ second: UInt64, _ pods: [String: [UInt64]]) -> CountedRequests {
    let rows = pods.map { pod, milliseconds in
      var counts = RequestCounts()
      for each in milliseconds { counts.add(latency: .milliseconds(each)) }
      return RequestCountsRow(pod: pod, counts: counts)
    }
    return CountedRequests(until: .zero + .seconds(100 + second), pods: rows)
  }

  private func many(_ count: Int) -> [UInt64] { Array(repeating: 8, count: count) }

  @Test func requestsAreThoseOfTheLastTenSeconds() {
    let readings = Box(TopReadings())
    let pods = [usage("pod-001"), usage("pod-002")]
    let (unknown, none) = (TopRequests(rate: nil, latency: nil), TopRequests(rate: 0, latency: nil))
    func shown(_ second: UInt64, _ requests: [String: [UInt64]]) -> [TopRequests?] {
      readings.rows(pods, counted(second, requests)).map(\.requests)
    }
    // What came before podctl top says nothing.
    #expect(shown(0, ["pod-001": many(100)]) == [unknown, unknown])
    let second = shown(2, ["pod-001": many(104)])
    // 8 ms: in the bucket above 5 ms, up to 10 ms.
    #expect(second == [TopRequests(rate: 2, latency: .milliseconds(5).scaled(by: 1.95)), none])
    // podd has heard nothing since.
    #expect(shown(2, ["pod-001": many(104)]) == second)
    // The first one of a pod.
    let both = ["pod-001": many(104), "pod-002": [70_000]]
    #expect(shown(5, both)[1] == TopRequests(rate: 0.2, latency: .infinity))
    // After ten seconds they are forgotten.
    for second in 6...14 as ClosedRange<UInt64> { #expect(shown(second, both)[1]?.rate != 0) }
    #expect(shown(15, both) == [none, none])
  }

  @Test func countsThatBeginAgainGiveNoRateTwice() {
    let readings = Box(TopReadings())
    func shown(_ second: UInt64, _ requests: [UInt64]) -> TopRequests? {
      readings.rows([usage("pod-001")], counted(second, ["pod-001": requests])).first?.requests
    }
    _ = shown(0, many(50))
    #expect(shown(1, many(60))?.rate == 10)
    // Another podd.
    #expect(shown(2, many(4))?.rate == nil)
    #expect(shown(4, many(10))?.rate == 3)
    // A host that was booted.
    let booted = readings.rows([usage("pod-001")], CountedRequests(until: .zero + .seconds(3), pods: []))
    #expect(booted.first?.requests == TopRequests(rate: nil, latency: nil))
  }

  @Test func withoutAFrontDoorThereIsNoTraceOfOne() {
    for counted in [nil, CountedRequests(until: nil, pods: [])] {
      let readings = Box(TopReadings())
      _ = readings.rows([usage("pod-001")], counted)
      var view = TopView()
      view.rows = readings.rows([usage("pod-001", at: .zero + .seconds(2))], counted)
      let screen = view.screen(style()).joined(separator: "\n")
      #expect(!screen.contains("REQ/S") && !screen.contains("P95") && !screen.contains("requests"))
      #expect(screen.contains("m c p r u n sort"))
      let json = usage("pod-001").json(nil).text
      #expect(json.hasSuffix(#""generation":1,"requests":null,"request_seconds":null}"#))
    }
  }

  @Test func aFrontDoorHasTwoColumnsAndIsSortedByThem() {
    let readings = Box(TopReadings())
    let pods = [usage("pod-001"), usage("pod-002"), usage("pod-003")]
    _ = readings.rows(pods, counted(0, [:]))
    var view = TopView()
    view.rows = readings.rows(pods, counted(2, ["pod-001": many(25), "pod-003": [1500, 1500]]))
    _ = view.handle(.order(.requests), lines: 24)
    let screen = view.screen(style())
    #expect(screen[0].hasSuffix(", 13.5 requests/s"))
    #expect(screen[1].contains("m c p r u n s l sort"))
    let header = screen[3].split(separator: " ")
    #expect(header.suffix(4) == ["REQ/S", "P95", "RESTARTS", "GEN"])
    func figures() -> [String] {
      view.screen(style()).dropFirst(4).map { line in
        let words = line.split(separator: " ")
        return (words.prefix(1) + words.suffix(4).prefix(2)).joined(separator: " ")
      }
    }
    #expect(figures() == ["pod-001 12.5 9ms", "pod-003 1 1.9s", "pod-002 0 -"])
    _ = view.handle(.order(.latency), lines: 24)
    #expect(figures().map { $0.prefix(7) } == ["pod-003", "pod-001", "pod-002"])
  }

  @Test func jsonHasTheCountsFromWhichRateAndLatencyFollow() {
    var counts = RequestCounts()
    counts.add(2)
    for milliseconds in [1, 3, 70_000] as [UInt64] { counts.add(latency: .milliseconds(milliseconds)) }
    let json = usage("pod-001").json(counts).text
    #expect(
      json.contains(
        #""requests":5,"request_seconds":[{"le":0.001,"count":1},{"le":0.002,"count":1},{"le":0.005,"count":2},"#
      ))
    #expect(json.hasSuffix(#"{"le":60.0,"count":2},{"le":null,"count":3}]}"#))
  }

  // MARK: Order

  @Test func theLargestValueComesFirstAndAMissingValueLast() {
    let rows = TopReadings.first([
      usage("pod-001", memory: 5, users: 1, restarts: 9, pressure: 7),
      usage("pod-1000", memory: nil, pressure: nil),
      usage("pod-002", memory: 9, users: 3),
      usage("pod-999", memory: 5, users: 2, restarts: 1, pressure: 900),
    ])
    func names(_ order: TopOrder, reverse: Bool = false) -> [String] {
      order.sorted(rows, reverse: reverse).map(\.usage.pod)
    }
    #expect(names(.memory) == ["pod-002", "pod-001", "pod-999", "pod-1000"])
    #expect(names(.memory, reverse: true) == ["pod-001", "pod-999", "pod-002", "pod-1000"])
    #expect(names(.pressure) == ["pod-999", "pod-001", "pod-002", "pod-1000"])
    #expect(names(.restarts) == ["pod-001", "pod-999", "pod-002", "pod-1000"])
    #expect(names(.users) == ["pod-1000", "pod-002", "pod-999", "pod-001"])
    #expect(names(.name) == ["pod-001", "pod-002", "pod-999", "pod-1000"])
    #expect(names(.name, reverse: true) == ["pod-1000", "pod-999", "pod-002", "pod-001"])
    #expect(names(.cpu) == ["pod-001", "pod-002", "pod-999", "pod-1000"])
  }

  // MARK: Screen

  @Test func theScreenIsNeverLargerThanTheTerminal() {
    var view = view(300)
    view.trouble = String(repeating: "long ", count: 100)
    for columns in [1, 10, 25, 40, 80, 200] {
      for lines in [1, 3, 5, 24, 400] {
        let screen = view.screen(style(columns: columns, lines: lines))
        #expect(screen.count <= lines)
        // At least a name and a figure are left, which the terminal cuts.
        #expect(screen.allSatisfy { $0.unicodeScalars.count <= max(columns, 16) }, "\(columns)")
      }
    }
  }

  @Test func aNarrowScreenKeepsTheImportantColumns() {
    let wide = view(3).screen(style(columns: 120)).joined(separator: "\n")
    #expect(wide.contains("PRESSURE") && wide.contains("GEN") && wide.contains("[") && wide.contains("MAX"))
    let narrow = view(3).screen(style(columns: 30)).joined(separator: "\n")
    #expect(narrow.contains("POD") && narrow.contains("MEMORY") && !narrow.contains("GEN"))
  }

  @Test func longListsAreScrolledWithinTheirEnds() {
    var view = view(100)
    let style = style(lines: 14)
    func first() -> String { view.screen(style)[4].split(separator: " ").first.map(String.init) ?? "" }
    #expect(first() == "pod-1100")
    #expect(view.screen(style)[0].contains("1-10 shown"))
    for (key, pod) in [
      (TopKey.up, "pod-1100"), (.down, "pod-1099"), (.pageDown, "pod-1089"), (.end, "pod-1010"),
      (.down, "pod-1010"), (.pageUp, "pod-1020"), (.home, "pod-1100"),
    ] {
      let isHandled = view.handle(key, lines: style.lines)
      #expect(isHandled)
      #expect(first() == pod, "\(key)")
    }
    // If pods disappear while the end of the list is shown, the screen does not become empty.
    _ = view.handle(.end, lines: style.lines)
    view.rows = TopReadings.first([usage("pod-001")])
    #expect(first() == "pod-001")
  }

  @Test func keysChangeOrderAndDelay() {
    var view = view(3)
    func names() -> [String] { view.screen(style()).dropFirst(4).map { String($0.prefix(8)) } }
    #expect(names() == ["pod-1003", "pod-1002", "pod-1001"])
    _ = view.handle(.reverse, lines: 24)
    #expect(names() == ["pod-1001", "pod-1002", "pod-1003"])
    // Selecting another column sorts by the largest value again.
    _ = view.handle(.order(.users), lines: 24)
    #expect(!view.reverse)
    for _ in 0..<100 { _ = view.handle(.slower, lines: 24) }
    #expect(view.delay == .minutes(1))
    for _ in 0..<100 { _ = view.handle(.faster, lines: 24) }
    #expect(view.delay == .seconds(1))
    for key in [TopKey.quit, .refresh, .suspend] {
      let isHandled = view.handle(key, lines: 24)
      #expect(!isHandled)
    }
  }

  @Test func aFailureIsShownAndTheFiguresStay() {
    var view = view(2)
    view.trouble = "podd is not reachable: \u{1B}[2J"
    let screen = view.screen(style())
    #expect(screen[1] == "podd is not reachable: ?[2J")
    #expect(screen.count == 6)
  }

  @Test func aRowHasItsFigures() {
    var view = TopView()
    let readings = Box(TopReadings())
    _ = readings.rows([usage("pod-001")])
    view.rows = readings.rows([
      usage(
        "pod-001", memory: 48 << 20, cpu: .milliseconds(125), at: .zero + .seconds(2), restarts: 3,
        pressure: 1250)
    ])
    let screen = view.screen(style())
    #expect(screen[0].contains("1 pod (1 ready), 20 users, memory 48M, CPU 12.5%"))
    let words = screen[4].split(separator: " ").map(String.init)
    #expect(
      words == [
        "pod-001", "free", "ready", "20", "48M", "96M", "50%", "[#####.....]", "12.5%", "12.5%", "3", "1",
      ])
  }

  @Test func aFileGetsEveryRowInPlainText() {
    var plain = Style()
    let page = view(300).page(plain).split(separator: "\n")
    #expect(page.count == 302)
    #expect(!page.joined().utf8.contains(0x1B))
    #expect(page[1].hasPrefix("POD "))
    #expect(page.allSatisfy { !$0.hasSuffix(" ") })
    plain.legend = false
    #expect(view(3).page(plain).split(separator: "\n").count == 3)
  }

  @Test(arguments: [
    ["top", "-d", "0"], ["top", "-d", "x"], ["top", "-d", "2min"], ["top", "-n", "0"],
    ["top", "--order", "colour"],
    ["top", "--json", "-b"], ["top", "--json", "-n", "2"], ["top", "pod-001"],
  ])
  func wrongUsageIsStatus64(arguments: [String]) {
    do {
      _ = try Podctl.parseAsRoot(arguments)
      Issue.record("\(arguments) was accepted")
    } catch {
      #expect(Podctl.exitCode(for: error).rawValue == 64)
    }
  }

  @Test func validUsageIsAccepted() throws {
    for arguments in [
      ["top"], ["top", "-b", "-n", "3", "-d", "1.5"], ["top", "--order", "cpu", "--reverse", "--json"],
    ] {
      _ = try Podctl.parseAsRoot(arguments)
    }
  }
}
