import PodModel
import Testing
import Time

@Suite struct PoddSettingsTests {
  private func parse(_ text: String) throws -> PoddSettings {
    try PoddSettings.parse([SettingsFragment(path: "podd.conf", text: text)])
  }

  @Test func noFileMeansDefaults() throws {
    #expect(try PoddSettings.parse([]) == PoddSettings())
    #expect(try parse("") == PoddSettings())
  }

  @Test func everyKey() throws {
    let settings = try parse(
      """
      [Podd]
      DefaultTier=pro
      PortRange=11000-12000
      FrontUsers=www-data 1000
      LaunchesMax=4
      RestartSec=1s
      RestartMaxDelaySec=5min
      StartLimitBurst=3
      StartLimitIntervalSec=2min
      MemorySampleSec=30
      MemoryPressureLimit=25%
      MemoryAvailableMin=3%
      ShortageAction=freeze
      LeakAction=alert
      LeakRecyclesPerHour=3
      StallTimeoutSec=2min
      HistoryMaxUse=200M
      """)
    var expected = PoddSettings()
    expected.defaultTier = "pro"
    expected.portRange = 11000...12000
    expected.frontUsers = ["www-data", "1000"]
    expected.launchesMax = 4
    expected.restartDelay = .seconds(1)
    expected.restartMaxDelay = .minutes(5)
    expected.startLimitBurst = 3
    expected.startLimitInterval = .minutes(2)
    expected.memorySampleInterval = .seconds(30)
    expected.shortage.pressureLimit = 0.25
    expected.shortage.availableMin = 0.03
    expected.shortage.action = .freeze
    expected.leakAction = .alert
    expected.leakRecyclesPerHour = 3
    expected.stallTimeout = .minutes(2)
    expected.historyMaxUse = 200 << 20
    #expect(settings == expected)
  }

  @Test(arguments: [
    ("[Podd]\nLaunchesMax=65", "podd.conf:2: LaunchesMax=: \"65\" is not a whole number from 1 to 64"),
    ("[Podd]\nPortRange=19999-10001", "podd.conf:2: PortRange="),
    ("[Podd]\nFrontUsers=www-data a/b", "podd.conf:2: FrontUsers="),
    ("[Podd]\nFrontUsers=4294967295", "podd.conf:2: FrontUsers="),
    ("[Podd]\nDefaultTier=a-b", "podd.conf:2: DefaultTier="),
    ("[Podd]\nRestartSec=1us", "podd.conf:2: RestartSec="),
    ("[Podd]\nRestartSec=2min", "podd.conf:2: RestartSec=: RestartSec= is longer than RestartMaxDelaySec="),
    ("[Podd]\nMemoryAvailableMin=2G", "podd.conf:2: MemoryAvailableMin=: \"2G\" is not a whole percentage"),
    ("[Podd]\nMemoryPressureLimit=101%", "podd.conf:2: MemoryPressureLimit=: \"101%\" is not"),
    (
      "[Podd]\nShortageAction=kill",
      "podd.conf:2: ShortageAction=: \"kill\" is none of none, reclaim, freeze, stop"
    ),
    (
      "[Podd]\nLeakAction=kill", "podd.conf:2: LeakAction=: \"kill\" is none of recycle, alert and none"
    ),
    ("[Podd]\nLeakRecyclesPerHour=-1", "podd.conf:2: LeakRecyclesPerHour="),
    ("[Podd]\nStallTimeoutSec=soon", "podd.conf:2: StallTimeoutSec="),
    ("[Podd]\nSpeed=fast", "podd.conf:2: Speed=: unknown key; [Podd] knows DefaultTier="),
    ("[Tier]\nRank=1", "podd.conf:2: Rank=: it stands in [Tier]; this file has only [Podd]"),
    ("Rank=1", "podd.conf:1: Rank=: it stands before the first section"),
  ])
  func refuses(text: String, message: String) {
    let printed = failure { try parse(text) } ?? "accepted"
    #expect(printed.hasPrefix(message), "\(printed)")
  }
}
