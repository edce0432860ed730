import PodModel
import Testing

@testable import PoddCore

@Suite struct ConfigurationTests {
  private let root = SettingsRoot()
  private let configuration: Configuration

  init() {
    configuration = Configuration(root: root.path)
    root.write("workloads/podserve.conf", "[Workload]\nExecStart=/bin/a\n")
    root.write("tiers/free.conf", "[Tier]\nUsersPerPod=7\n")
  }

  /// UsersPerPod= in force, or the error.
  private func usersPerPod(_ tier: String = "free") -> String {
    do throws(Configuration.Failure) {
      return String(try configuration.tier(tier).tier.usersPerPod)
    } catch {
      return error.description
    }
  }

  private func program() -> String {
    do throws(Configuration.Failure) {
      return try configuration.workload(of: Tier(name: "free")).execStart.first ?? ""
    } catch {
      return error.description
    }
  }

  @Test func aChangeAppliesWithoutAReload() {
    #expect(usersPerPod() == "7")
    root.write("tiers/free.conf.d/50.conf", "[Tier]\nUsersPerPod=8\n")
    #expect(usersPerPod() == "8")
    root.remove("tiers/free.conf.d/50.conf")
    #expect(usersPerPod() == "7")
  }

  @Test func aMistakeIsAnErrorUntilAReloadReportsIt() {
    #expect(usersPerPod() == "7")
    root.write("tiers/free.conf.d/50.conf", "[Tier]\nUsersPerPods=8\n")
    #expect(usersPerPod().hasPrefix("\(root.path)/etc/podctl/tiers/free.conf.d/50.conf:2: UsersPerPods="))
    #expect(configuration.policy(ofTier: "free")?.usersPerPod == 7)
    #expect(configuration.mistakes == [])
    let found = configuration.readAll()
    #expect(found.map(\.mistake.subject) == [.tier("free")])
    #expect(found.first?.consequence.contains("keeps its previous settings") == true)
    #expect(usersPerPod() == "7")
  }

  @Test func thePreviousPolicyStaysUntilTheFileParses() {
    #expect(usersPerPod() == "7")
    root.write("tiers/free.conf", "[Tier]\nUsersPerPod=none\n")
    _ = configuration.readAll()
    #expect(usersPerPod() == "7")
    // Another mistake in its place.
    root.write("tiers/free.conf", "[Tier]\nUsersPerPod=9\nRank=first\n")
    #expect(usersPerPod() == "7")
    #expect(configuration.mistakes.map(\.error.key) == ["Rank"])
    root.write("tiers/free.conf", "[Tier]\nUsersPerPod=9\n")
    #expect(usersPerPod() == "9")
    #expect(configuration.mistakes == [])
    // A later mistake is a new one.
    root.write("tiers/free.conf", "[Tier]\nUsersPerPod=none\n")
    #expect(usersPerPod().contains("UsersPerPod="))
  }

  @Test func aFileThatNeverParsedHasNoPolicy() {
    root.write("tiers/gold.conf", "[Tier]\nMemoryMaximum=1G\nTasksMax=0\n")
    let found = configuration.readAll()
    #expect(found.map(\.mistake.error.line) == [2, 3])
    #expect(found.allSatisfy { $0.consequence.contains("cannot be used") })
    #expect(usersPerPod("gold").contains("MemoryMaximum=: unknown key"))
    #expect(usersPerPod("gold").hasSuffix("(podctl doctor lists 1 more mistake)"))
    #expect(configuration.policy(ofTier: "gold") == nil)
    #expect(configuration.isReported(tier: "gold") && !configuration.isReported(tier: "free"))
    root.remove("tiers/gold.conf")
    _ = configuration.readAll()
    #expect(configuration.mistakes == [])
  }

  @Test func aWorkloadKeepsItsPreviousSettingsToo() {
    #expect(program() == "/bin/a")
    root.write("workloads/podserve.conf", "[Workload]\nExecStart=/bin/b\nFrobnicate=yes\n")
    #expect(program().contains("Frobnicate="))
    _ = configuration.readAll()
    #expect(program() == "/bin/a")
    root.write("workloads/podserve.conf", "[Workload]\nExecStart=/bin/b\n")
    #expect(program() == "/bin/b")
  }

  @Test func whatIsToApplyTheFilesIsRefusedWhileThePreviousPolicyIsInForce() throws {
    try configuration.checkFiles(ofTier: "free")
    _ = configuration.readAll()
    root.write("workloads/podserve.conf", "[Workload]\nExecStart=/bin/b\nFrobnicate=yes\n")
    _ = configuration.readAll()
    #expect(program() == "/bin/a")
    #expect(throws: Configuration.Failure.self) { try configuration.checkFiles(ofTier: "free") }
    root.write("workloads/podserve.conf", "[Workload]\nExecStart=/bin/b\n")
    try configuration.checkFiles(ofTier: "free")
    root.write("tiers/free.conf", "[Tier]\nnonsense\n")
    _ = configuration.readAll()
    #expect(throws: Configuration.Failure.self) { try configuration.checkFiles(ofTier: "free") }
  }

  @Test func aTierKeepsItsWorkloadWhenItsFileNamesOneThatIsNotThere() {
    #expect(usersPerPod() == "7")
    root.write("tiers/free.conf", "[Tier]\nUsersPerPod=8\nWorkload=missing\n")
    #expect(usersPerPod().contains("free.conf:3: Workload=: there is no"))
    _ = configuration.readAll()
    #expect(configuration.policy(ofTier: "free")?.workload == "podserve")
    root.write("workloads/missing.conf", "[Workload]\nExecStart=/bin/c\n")
    #expect(usersPerPod() == "8")
  }

  @Test func aTierThatIsTakenAwayHasNoPolicyAndIsNoMistake() {
    #expect(usersPerPod() == "7")
    root.write("tiers/free.conf", "")
    _ = configuration.readAll()
    #expect(usersPerPod().hasPrefix("there is no tier free"))
    #expect(configuration.policy(ofTier: "free") == nil)
    #expect(configuration.mistakes == [])
  }

  @Test func poddsOwnMistakesAreListedFirst() {
    root.write("podd.conf", "[Podd]\nDefaultTeir=free\n")
    root.write("tiers/gold.conf", "[Tier]\nGold=yes\n")
    #expect(throws: Configuration.Failure.self) { try configuration.podd() }
    _ = configuration.readAll()
    #expect(configuration.mistakes.map(\.subject) == [.podd, .tier("gold")])
    #expect(throws: Configuration.Failure.self) { try configuration.podd() }
    root.write("podd.conf", "[Podd]\nDefaultTier=free\n")
    #expect((try? configuration.podd())?.defaultTier == "free")
    #expect(configuration.mistakes.map(\.subject) == [.tier("gold")])
  }

  @Test func aJournalEntrySaysWhere() {
    root.write("tiers/gold.conf", "[Tier]\n\nGold=yes\n")
    let fields = configuration.readAll().first?.mistake.error.journalFields ?? []
    #expect(fields.map(\.0.rawValue) == ["CONFIG_FILE", "CONFIG_LINE", "CONFIG_KEY"])
    #expect(fields.map(\.1) == ["\(root.path)/etc/podctl/tiers/gold.conf", "3", "Gold"])
  }

  @Test func theStatusLineCountsMistakes() {
    #expect(Daemon.statusLine(pods: 1, mistakes: 0) == "1 pod")
    #expect(
      Daemon.statusLine(pods: 3, mistakes: 1) == "3 pods; 1 mistake in settings files, see podctl doctor")
    #expect(
      Daemon.statusLine(pods: 0, mistakes: 2) == "0 pods; 2 mistakes in settings files, see podctl doctor")
  }
}
