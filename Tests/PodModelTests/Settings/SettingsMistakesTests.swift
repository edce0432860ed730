import PodModel
import Testing

/// Every mistake of a file is found, not only the first.
@Suite struct SettingsMistakesTests {
  private func mistakes(_ fragments: String...) -> [String] {
    let fragments = fragments.enumerated().map { SettingsFragment(path: "f\($0)", text: $1) }
    switch TierFile.check(name: "free", fragments: fragments, physicalMemory: 8 << 30) {
    case .success: return []
    case .failure(let errors): return errors.all.map { String("\($0)".prefix { $0 != ";" }.prefix(60)) }
    }
  }

  @Test func mistakesComeInTheOrderOfFilesAndLines() {
    #expect(
      mistakes("[Tier]\nMemoryMaximum=1M\nnonsense\nUsersPerPod=0", "[Tier]\nTasksMax=many").map {
        $0.prefix(20)
      } == [
        "f0:2: MemoryMaximum=", "f0:3: \"nonsense\" has", "f0:4: UsersPerPod=: ", "f1:2: TasksMax=: \"ma",
      ])
    #expect(mistakes("[Tier]\nUsersPerPod=7") == [])
  }

  @Test func oneMistakeDoesNotCauseOthers() {
    // The keys of a section that is not ours, that cannot be read, or that is missing, are one mistake.
    #expect(
      mistakes("[Service]\nMemoryMax=1M\nTasksMax=5\n[Tier]\nMemoryMax=1M")
        == ["f0:2: MemoryMax=: it stands in [Service]"])
    #expect(mistakes("[Tier\nMemoryMax=1M\nTasksMax=5").map { $0.prefix(13) } == ["f0:1: \"[Tier\""])
    #expect(
      mistakes("MemoryMax=1M\nTasksMax=5") == ["f0:1: MemoryMax=: it stands before the first section"])
    // Values are compared with each other only when each of them is known.
    #expect(mistakes("[Tier]\nMemoryMax=lots\nMemoryHigh=2G").count == 1)
  }

  @Test func aFileOfAnotherKindCostsABoundedNumber() {
    let text = "[Tier]\n" + String(repeating: "nonsense\n", count: 1000)
    #expect(mistakes(text).count == SettingsErrors.limit)
    #expect(mistakes(text, text).count == SettingsErrors.limit)
    let keys = "[Tier]\n" + (0..<1000).map { "K\($0)=1\n" }.joined()
    #expect(mistakes(keys).count == SettingsErrors.limit)
  }

  @Test func aTierThatNamesNoWorkloadIsWrongWhereItDoes() {
    func check(_ text: String) -> SettingsError? {
      let fragments = [SettingsFragment(path: "f", text: text)]
      let tier = TierFile.check(name: "free", fragments: fragments, physicalMemory: 1 << 30) {
        $0 == "podserve"
      }
      guard case .failure(let errors) = tier else { return nil }
      return errors.first
    }
    #expect(check("[Tier]\n") == nil)
    let error = check("[Tier]\nRank=1\nWorkload=pod-serve\n")
    #expect(error?.line == 3 && error?.key == "Workload")
    #expect(error?.message.contains("/etc/podctl/workloads/pod-serve.conf") == true)
  }

  @Test func aRefusalIsOneLineThatSaysHowManyMistakesFollow() throws {
    let errors = (1...3).map { SettingsError(file: "f", line: $0, message: "no") }
    #expect(SettingsErrors([]) == nil)
    #expect(SettingsErrors(errors[0]).description == "f:1: no")
    #expect(
      SettingsErrors(Array(errors[..<2]))?.description == "f:1: no (podctl doctor lists 1 more mistake)")
    #expect(SettingsErrors(errors)?.description == "f:1: no (podctl doctor lists 2 more mistakes)")
  }
}
