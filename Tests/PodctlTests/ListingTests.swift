import PodAPI
import PodModel
import Systemd
import Testing
import Time
import TimeLiterals

@testable import PodctlCore

@Suite struct ListingTests {
  private func rows() -> [PodRow] {
    var ready = PodRow(
      pod: "pod-001", tier: "free", state: "ready", address: "127.77.0.1", frontAddress: "127.76.0.1",
      port: 10001)
    ready.unit = "pod-001-1.scope"
    ready.memoryCurrent = 4_300_000
    ready.memoryMax = 96 << 20
    ready.users = 20
    var held = PodRow(
      pod: "pod-1000", tier: "enterprise", state: "crash-loop", address: "127.77.3.246",
      frontAddress: "127.76.3.246", port: 11000)
    held.lastExitReason = "launch-failed:exec:ENOENT"
    return [ready, held]
  }

  private func terminal(columns: Int) -> Style {
    var style = Style()
    style.isTerminal = true
    style.colours = true
    style.unicode = true
    style.columns = columns
    return style
  }

  @Test func aPipeGetsAlignedTextAndNothingElse() {
    let lines = Listing.pods(rows(), Style()).split(separator: "\n")
    #expect(lines.count == 3)
    #expect(!lines.joined().utf8.contains(0x1B))
    #expect(lines[1].hasPrefix("pod-001  free       ready         20   4.1M 96M"))
    #expect(lines[2].contains("launch-failed:exec:ENOENT"))
    #expect(lines.allSatisfy { !$0.hasSuffix(" ") })
    let column = lines[0].offset(of: "ADDRESS")
    #expect(column != nil)
    #expect(lines.dropFirst().allSatisfy { $0.offset(of: "127.77.") == column })
  }

  @Test func withoutLegendOnlyRows() {
    var style = Style()
    style.legend = false
    #expect(Listing.pods(rows(), style).split(separator: "\n").count == 2)
    #expect(Listing.pods([], style) == "")
  }

  @Test func aTerminalGetsDotsColoursAndACount() {
    let text = Listing.pods(rows(), terminal(columns: 200))
    #expect(text.contains("\(Colour.green.rawValue)●\(Colour.reset) pod-001"))
    #expect(text.contains("\(Colour.red.rawValue)×\(Colour.reset) pod-1000"))
    #expect(text.hasSuffix("\n2 pods listed.\n"))
    #expect(Listing.pods([], terminal(columns: 80)).hasSuffix("\n0 pods listed.\n"))
  }

  @Test(arguments: [80, 100, 120])
  func aNarrowTerminalIsNeverOverrun(columns: Int) {
    var style = terminal(columns: columns)
    style.colours = false
    for line in Listing.pods(rows(), style).split(separator: "\n") {
      #expect(line.unicodeScalars.count <= columns)
    }
  }

  @Test func usersWithoutAPodShowADash() {
    let text = Listing.users(
      [UserRow(user: "a@b", tier: "free", pod: nil, state: nil, dataBytes: nil, status: "deleted")], Style())
    #expect(text.split(separator: "\n").last == "a@b  free -   -        - deleted -")
  }

  @Test func usersShowWhenTheyWereLastThere() {
    var row = UserRow(
      user: "a@b", tier: "free", pod: "pod-001", state: "ready", dataBytes: 0, status: "active")
    var style = Style()
    style.now = .epoch + .hours(2)
    row.lastUsed = .epoch + .hours(1)
    let lines = Listing.users([row], style).split(separator: "\n")
    #expect(lines.first?.hasSuffix("STATUS LAST USED") == true)
    #expect(lines.last?.hasSuffix("active 1h 0min ago") == true)
  }

  @Test func aTierWithAMistakeIsMarkedAndTheMistakeNamedBelow() {
    var free = TierRow(tier: "free", usersPerPod: 20, workload: "podserve", pods: 1, users: 3)
    free.source = "/usr/lib/podctl/tiers/free.conf"
    let gold = TierRow(tier: "gold", usersPerPod: 0, workload: "", pods: 0, users: 0)
    let mistakes = [
      SettingsMistake(
        .tier("gold"), SettingsError(file: "/g.conf", line: 3, key: "Max", message: "unknown key")),
      SettingsMistake(.workload("other"), SettingsError(file: "/o.conf", line: 1, message: "is\u{1B} odd")),
    ]
    let lines = Listing.tiers([free, gold], mistakes: mistakes, Style()).split(
      separator: "\n", omittingEmptySubsequences: false)
    #expect(lines[0].hasSuffix(" MISTAKES"))
    #expect(lines[1].hasPrefix("free ") && lines[1].hasSuffix(" -"))
    #expect(lines[2].hasPrefix("gold         - ") && lines[2].hasSuffix(" 1"))
    #expect(lines[3...] == ["", "/g.conf:3: Max=: unknown key", "/o.conf:1: is? odd", ""])
    var plain = Style()
    plain.legend = false
    #expect(Listing.tiers([free, gold], mistakes: mistakes, plain).split(separator: "\n").count == 2)
    #expect(!Listing.tiers([free], mistakes: [], Style()).contains("\n\n"))
  }

  @Test func jsonOfATierHasItsMistakesAndThoseOfItsWorkload() {
    let free = TierRow(tier: "free", usersPerPod: 20, workload: "podserve", pods: 0, users: 0)
    let gold = TierRow(tier: "gold", usersPerPod: 0, workload: "", pods: 0, users: 0)
    let mistakes = [
      SettingsMistake(.tier("gold"), SettingsError(file: "/g", line: 3, message: "a")),
      SettingsMistake(.tier("gold"), SettingsError(file: "/g", line: 4, message: "b")),
      SettingsMistake(.workload("podserve"), SettingsError(file: "/p", line: 1, message: "c")),
    ]
    #expect(free.json(mistakes: []).text.hasSuffix(#","source":null,"mistake":null}"#))
    #expect(free.json(mistakes: free.mistakes(among: mistakes)).text.hasSuffix(#""mistake":"/p:1: c"}"#))
    let text = gold.json(mistakes: gold.mistakes(among: mistakes)).text
    #expect(text.hasSuffix(#""mistake":"/g:3: a\n/g:4: b"}"#))
    #expect(text.hasPrefix(#"{"tier":"gold","users_per_pod":null,"#) && text.contains(#""workload":null"#))
  }

  @Test func statusIsLaidOutLikeSystemctls() {
    var row = rows()[0]
    row.mainPID = 4242
    row.generation = 1
    row.lastExitReason = "exited:1"
    var style = Style()
    style.now = .epoch + .minutes(2)
    let properties = Properties(
      row.properties + [
        ("MemoryHigh", .uint(64 << 20)), ("TasksCurrent", .uint(3)), ("TasksMax", .uint(640)),
        ("MemoryPressure", .string("some avg10=0.25 avg60=1.00 avg300=0.00 total=7")),
        (
          "Generations",
          .array([
            .dictionary([
              ("EndTimestamp", .uint(60_000_000)), ("Reason", .string("exited:1")),
              ("Evidence", .string(#"{"exit":"signal:TERM","adopted":true,"log":["a,b"]}"#)),
            ])
          ])
        ), ("UserNames", .array([.string("alice")])),
      ])
    let page = StatusPage.pod(row, properties, log: ["Nov 21 host pod-001[1]: hello"], style)
    #expect(
      page == """
        * pod-001 - free pod
              State: ready
               Unit: pod-001-1.scope (generation 1)
           Main PID: 4242
             Memory: 4.1M (max 96M, high 64M)
           Pressure: 0.25% of 10s, 1.00% of 60s
              Tasks: 3 (limit 640)
              Users: 20 (alice)
            Address: 127.77.0.1:10001 (answers 127.76.0.1)
           Restarts: 0
          Last exit: exited:1 (signal:TERM, adopted); 1min 0s ago

        Nov 21 host pod-001[1]: hello

        """)
  }

  @Test func theHostPageNamesThePodsInTrouble() {
    let page = StatusPage.host(name: "web1", Properties([]), pods: rows(), users: 21, Style())
    #expect(page.contains("State: degraded"))
    #expect(
      page.contains("pod-1000 is in crash-loop after launch-failed:exec:ENOENT; see podctl explain pod-1000"))
    #expect(page.contains("Pods: 2 (1 crash-loop, 1 ready)"))
    #expect(!page.contains("Settings:"))
    let mistake = SettingsMistake(.tier("free"), SettingsError(file: "/f", line: 3, message: "b"))
    let status = Properties([("SettingsMistakes", .array([.dictionary(mistake.properties)]))])
    #expect(
      StatusPage.host(name: "web1", status, pods: [], users: 0, Style())
        .contains("Settings: 1 mistake in settings files; see podctl doctor"))
  }
}

extension Substring {
  /// Where a text begins, in characters.
  fileprivate func offset(of text: String) -> Int? {
    indices.firstIndex { self[$0...].hasPrefix(text) }.map { indices.distance(from: startIndex, to: $0) }
  }
}
