import PodModel
import Testing
import Time

@Suite struct TierFileTests {
  private func parse(_ fragments: String..., name: String = "free") throws -> Tier {
    try TierFile.parse(
      name: name,
      fragments: fragments.enumerated().map { SettingsFragment(path: "f\($0)", text: $1) },
      physicalMemory: 8 << 30)
  }

  @Test func everyKey() throws {
    let tier = try parse(
      """
      [Tier]
      UsersPerPod=7
      DataMax=3M
      Workload=my-app
      Rank=5
      IdleFreezeSec=5min
      IdleStopSec=1h
      RequestRate=100/min
      RequestBurst=30
      ConnectionsMax=10
      MemoryMax=25%
      MemoryHigh=1G
      MemoryLow=16M
      MemoryMin=8M
      MemorySwapMax=infinity
      CPUQuota=150%
      CPUWeight=50
      IOWeight=20
      TasksMax=infinity
      """)
    var expected = Tier(name: "free")
    expected.usersPerPod = 7
    expected.dataMax = 3 << 20
    expected.workload = "my-app"
    expected.rank = 5
    expected.idleFreeze = .minutes(5)
    expected.idleStop = .hours(1)
    expected.requestRate = Tier.RequestRate(count: 100, interval: .minutes(1))
    expected.requestBurst = 30
    expected.connectionsMax = 10
    expected.memoryMax = 2 << 30
    expected.memoryHigh = 1 << 30
    expected.memoryLow = 16 << 20
    expected.memoryMin = 8 << 20
    expected.memorySwapMax = nil
    expected.cpuQuotaPerSec = .milliseconds(1500)
    expected.cpuWeight = 50
    expected.ioWeight = 20
    #expect(tier == expected)
  }

  @Test func swapIsOffUnlessAllowed() throws {
    #expect(try parse("[Tier]\n").memorySwapMax == 0)
  }

  @Test func aRateIsANumberInAnInterval() throws {
    let rates: [(String, Tier.RequestRate?)] = [
      ("10/s", Tier.RequestRate(count: 10, interval: .seconds(1))),
      ("1000000/h", Tier.RequestRate(count: 1_000_000, interval: .hours(1))), ("infinity", nil),
    ]
    for (text, rate) in rates { #expect(try parse("[Tier]\nRequestRate=\(text)").requestRate == rate) }
    for text in ["0/s", "100", "/s", "1/", "1/d", "1 /s", "-1/s", "1.5/s", "1000001/s", "1/s/s", "01/s"] {
      #expect(throws: SettingsError.self, "\(text)") { try parse("[Tier]\nRequestRate=\(text)") }
    }
    #expect(try parse("[Tier]\n").connectionsMax == 64)
    #expect(try parse("[Tier]\nConnectionsMax=infinity").connectionsMax == nil)
    #expect(throws: SettingsError.self) { try parse("[Tier]\nConnectionsMax=0") }
    #expect(throws: SettingsError.self) { try parse("[Tier]\nRequestBurst=0") }
  }

  @Test func dropInsOverride() throws {
    let tier = try parse(
      "[Tier]\nMemoryMax=96M\nTasksMax=640\nCPUQuota=50%", "", "[Tier]\nMemoryMax=128M\nCPUQuota=",
      "[Tier]\nMemoryMax=200M")
    #expect(tier.memoryMax == 200 << 20)
    #expect(tier.tasksMax == 640)
    #expect(tier.cpuQuotaPerSec == nil)
  }

  @Test func anEmptyAssignmentGivesTheDefaultBack() throws {
    let tier = try parse(
      "[Tier]\nUsersPerPod=3\nMemoryLow=1M\nMemorySwapMax=1G\nWorkload=x\nRank=3\nDataMax=1M\nTasksMax=5"
        + "\nRequestRate=1/s\nRequestBurst=1\nConnectionsMax=1",
      "[Tier]\nUsersPerPod=\nMemoryLow=\nMemorySwapMax=\nWorkload=\nRank=\nDataMax=\nTasksMax="
        + "\nRequestRate=\nRequestBurst=\nConnectionsMax=")
    #expect(tier == Tier(name: "free"))
  }

  @Test func otherProgramsNotesAreSkipped() throws {
    #expect(try parse("[Tier]\nX-Owner=ops\n[X-Billing]\nPrice=3").usersPerPod == 20)
  }

  @Test(arguments: [
    ("[Tier]\nMemroyMax=1M", "f0:2: MemroyMax=: unknown key; [Tier] knows UsersPerPod= DataMax="),
    ("[Tier]\nmemorymax=1M", "f0:2: memorymax=: unknown key"),
    ("[Service]\nMemoryMax=1M", "f0:2: MemoryMax=: it stands in [Service]; this file has only [Tier]"),
    ("[Tier]\n\nMemoryMax=lots", "f0:3: MemoryMax=: \"lots\" is not a size"),
    ("[Tier]\nMemoryMax=0", "f0:2: MemoryMax=: \"0\" leaves nothing"),
    ("[Tier]\nMemoryHigh=0%", "f0:2: MemoryHigh=: \"0%\" leaves nothing"),
    ("[Tier]\nDataMax=10%", "f0:2: DataMax=: \"10%\" is not a size"),
    ("[Tier]\nUsersPerPod=0", "f0:2: UsersPerPod=: \"0\" is not a whole number from 1 to 1000"),
    ("[Tier]\nUsersPerPod=1001", "f0:2: UsersPerPod="),
    ("[Tier]\nTasksMax=0", "f0:2: TasksMax="),
    ("[Tier]\nCPUQuota=50", "f0:2: CPUQuota="),
    ("[Tier]\nWorkload=../x", "f0:2: Workload="),
    ("[Tier]\nMemoryMax=64M\nMemoryHigh=96M", "f0:3: MemoryHigh=: MemoryHigh=100663296 is above"),
    ("[Tier]\nMemoryHigh=96M\nMemoryMax=64M", "f0:3: MemoryMax=: MemoryHigh=100663296 is above"),
    ("[Tier]\nMemoryMax=64M\nMemoryLow=65M", "f0:3: MemoryLow="),
    ("[Tier]\nMemoryMin=65M\nMemoryMax=64M", "f0:3: MemoryMax="),
    ("[Tier]\nIdleStopSec=1min\nIdleFreezeSec=2min", "f0:3: IdleFreezeSec="),
    // A value that a later line replaces is checked all the same.
    ("[Tier]\nMemoryMax=lots\nMemoryMax=1M", "f0:2: MemoryMax="),
    ("", "f0: it is empty, which hides the tier"),
  ])
  func refuses(text: String, message: String) {
    let printed = failure { try parse(text) } ?? "accepted"
    #expect(printed.hasPrefix(message), "\(printed)")
  }

  @Test func theDropInThatBreaksTheTierIsNamed() {
    let printed = failure {
      try parse("[Tier]\nMemoryMax=96M\nMemoryHigh=64M", "[Tier]\n\nMemoryMax=32M")
    }
    #expect(printed?.hasPrefix("f1:3: MemoryMax=: ") == true)
  }

  @Test(arguments: ["Free", "a-b", ""])
  func refusesANameThatCannotBeASlice(name: String) {
    #expect(failure { try parse("[Tier]\n", name: name) }?.contains("is not a tier name") == true)
  }
}
