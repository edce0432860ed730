import PodModel
import Testing

@Suite struct SettingsSurveyTests {
  private func mistakes(_ files: [String: String], unreadable: String? = nil) -> [String] {
    SettingsSurvey.mistakes(
      root: "/h", physicalMemory: 8 << 30,
      names: { directory in
        Set(
          files.keys.filter { $0.hasPrefix(directory + "/") }.map {
            String($0.dropFirst(directory.utf8.count + 1).prefix { $0 != "/" })
          }
        ).sorted()
      },
      content: { path in
        if path == unreadable { return .unreadable("Is a directory") }
        return files[path].map { .bytes(Array($0.utf8)) } ?? .missing
      }
    ).map { String("\($0)".prefix(70)) }
  }

  private let good = [
    "/h/usr/lib/podctl/tiers/free.conf": "[Tier]\n",
    "/h/usr/lib/podctl/workloads/podserve.conf": "[Workload]\nExecStart=/bin/a\n",
  ]

  @Test func filesWithoutMistakesAndNoFilesAtAllAreFine() {
    #expect(mistakes(good) == [])
    #expect(mistakes([:]) == [])
  }

  @Test func everyFileIsReadAlsoThoseThatNobodyUses() {
    let found = mistakes(
      good.merging([
        "/h/etc/podctl/podd.conf": "[Podd]\nDefaultTeir=pro\n",
        "/h/etc/podctl/tiers/gold.conf": "[Tier]\nMemoryMaximum=1G\nWorkload=sq\n",
        "/h/etc/podctl/tiers/free.conf.d/50.conf": "[Tier]\n\nTasksMax=0\n",
        "/h/run/podctl/tiers/silver.conf": "[Tier]\nWorkload=sq\n",
        "/h/etc/podctl/workloads/unused.conf": "[Workload]\nExecStart=true\n",
      ]) { $1 })
    #expect(
      found.map { $0.prefix { $0 != "=" } } == [
        "/h/etc/podctl/podd.conf:2: DefaultTeir", "/h/etc/podctl/tiers/free.conf.d/50.conf:3: TasksMax",
        "/h/etc/podctl/tiers/gold.conf:2: MemoryMaximum", "/h/run/podctl/tiers/silver.conf:2: Workload",
        "/h/etc/podctl/workloads/unused.conf:2: ExecStart",
      ])
  }

  @Test func aMaskDefinesNothingAndHidesTheWorkloadOfATier() {
    #expect(mistakes(good.merging(["/h/etc/podctl/tiers/free.conf": ""]) { $1 }) == [])
    #expect(
      mistakes(good.merging(["/h/etc/podctl/workloads/podserve.conf": ""]) { $1 }).first?.contains(
        "Workload=: there is no") == true)
  }

  @Test func aFileThatCannotBeReadIsAMistake() {
    let path = "/h/usr/lib/podctl/tiers/free.conf"
    #expect(mistakes(good, unreadable: path) == ["\(path): it cannot be read: Is a directory"])
  }

  @Test func aDropInWithoutItsMainFileDefinesNothing() {
    #expect(mistakes(["/h/etc/podctl/tiers/gold.conf.d/50.conf": "[Tier]\nTasksMax=0\n"]) == [])
  }

  @Test func onlyDropInDirectoriesThatAreThereAreListed() {
    let names = ["/1": ["a.conf"], "/2": ["a.conf.d"], "/2/a.conf.d": ["5.conf"]]
    var listed: [String] = []
    let files = SettingsFiles(
      "a.conf", in: ["/1", "/2"],
      names: {
        listed.append($0)
        return names[$0] ?? []
      }, content: { _ in .bytes([]) })
    #expect(listed == ["/1", "/2", "/2/a.conf.d"])
    #expect(files.fragments.map(\.path) == ["/1/a.conf", "/2/a.conf.d/5.conf"])
  }
}
