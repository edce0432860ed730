import ArgumentParser
import PodAPI
import PodModel
import Testing
import Time
import TimeLiterals

@testable import PodctlCore

@Suite struct RolloutTests {
  /// PodModel has a `Rollout`, too.
  private typealias Verb = PodctlCore.Rollout

  private func request(_ arguments: String...) throws -> RolloutRequest {
    try #require(try Podctl.parseAsRoot(["rollout", "--tier", "free"] + arguments) as? Verb).request()
  }

  @Test func missingOptionsAreLeftToPodd() throws {
    #expect(try request() == RolloutRequest(tier: "free"))
  }

  @Test func optionsReachPodd() throws {
    #expect(
      try request("--max-parallel", "5", "--healthy-sec", "1min 30s", "--resume")
        == RolloutRequest(tier: "free", maxParallel: 5, healthy: .seconds(90), mode: .resume))
    #expect(
      try request("--healthy-sec", "0", "--revert")
        == RolloutRequest(tier: "free", healthy: 0, mode: .revert))
    #expect(try request("--healthy-sec", "2.5").healthy == .milliseconds(2500))
  }

  @Test func aStoppedRolloutSaysHowToContinue() {
    let stopped = Verb.failure(
      CallError(
        name: "org.podctl1.Error.RolloutStopped", message: "pod-002 did not come back: exited:3",
        status: .failed), tier: "free")
    #expect(
      stopped.message
        == "pod-002 did not come back: exited:3; go on with podctl rollout --tier free --resume,"
        + " or back with podctl rollout --tier free --revert")
    #expect(stopped.status == .failed)
    let busy = CallError(name: "org.podctl1.Error.Busy", message: "under way", status: .temporary)
    #expect(Verb.failure(busy, tier: "free").message == "under way")
    #expect(Verb.failure(busy, tier: "free").status == .temporary)
  }

  @Test func successIsPrintedOnATerminalOnly() {
    let result = RolloutResult(replaced: 1, total: 1)
    #expect(Verb.json(result, tier: "free").text == #"{"tier":"free","replaced":1,"total":1}"#)
    #expect(Verb.sentence(result, tier: "free", Style()) == "")
    var terminal = Style()
    terminal.isTerminal = true
    #expect(Verb.sentence(result, tier: "free", terminal) == "1 of 1 pod of tier free replaced.\n")
    #expect(
      Verb.sentence(RolloutResult(replaced: 0, total: 0), tier: "free", terminal)
        == "There was no pod of tier free to replace.\n")
  }
}
