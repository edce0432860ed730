import ArgumentParser
import PodAPI
import PodModel
import Testing

@testable import PodctlCore

@Suite struct ArgumentTests {
  @Test(arguments: [
    (["--json", "pods"], ["pods", "--json"]),
    (["-H", "web1", "--no-pager", "status", "pod-001"], ["status", "-H", "web1", "--no-pager", "pod-001"]),
    (["-Hweb1", "pods", "--json"], ["pods", "--host", "web1", "--json"]),
    (["--host=web1", "pods"], ["pods", "--host", "web1"]),
    (["--help"], ["--help"]),
    (["--json"], ["--json"]),
    (["-H"], ["-H"]),
    (["logs", "--", "--json"], ["logs", "--", "--json"]),
    (["--json", "--version"], ["--json", "--version"]),
  ])
  func globalOptionsMoveBehindTheVerb(given: [String], expected: [String]) {
    #expect(GlobalOptions.movedBehindVerb(given) == expected)
  }

  /// A verb without a stated name gets one from its type by reflection, which takes a twentieth of a start for each verb.
  @Test func everyVerbStatesItsName() {
    for verb in Podctl.verbs { #expect(verb.configuration.commandName != nil, "\(verb)") }
  }

  @Test func optionsBeforeTheVerbReachIt() throws {
    let arguments = GlobalOptions.movedBehindVerb(["-H", "root@web1", "--json", "stop", "pod-007"])
    let stop = try #require(try Podctl.parseAsRoot(arguments) as? Stop)
    #expect(stop.globals.host == "root@web1")
    #expect(stop.globals.json)
    #expect(stop.pod == "pod-007")
  }

  static let badUsers = [
    "", "../x", ".", "a b", "a\nb", "a\tb", "ü", "a/b", "-x", "a\u{0}b",
    String(repeating: "a", count: 10_240),
  ]

  @Test(arguments: badUsers, ["provision", "deprovision", "suspend", "resume", "status", "logs"])
  func aBadUserIsRefusedWhileParsing(user: String, verb: String) {
    #expect(throws: (any Error).self) { try Podctl.parseAsRoot([verb, "--", user]) }
    do {
      _ = try Podctl.parseAsRoot([verb, "--", user])
    } catch {
      #expect(Podctl.exitCode(for: error).rawValue == 64)
    }
  }

  @Test(arguments: [
    ["stop", "foo"], ["start", "pod-1"], ["restart", "pod-001-1.scope"], ["reset", ""], ["stop"],
    ["reset"], ["reset", "pod-001", "--all"],
    ["provision"], ["provision", "a", "--from-file", "f"], ["provision", "a", "--tier", ""],
    ["pods", "extra"], ["nosuch"], ["logs", "-f", "--json", "pod-001"], ["status", "-n", "-1"],
    ["freeze"], ["explain", "alice"], ["evict", "pod-1", "--dry-run"], ["freeze", "pod-001", "--dry-run"],
    ["rollout"], ["rollout", "--tier", ""], ["rollout", "--tier", "free", "--resume", "--revert"],
    ["rollout", "--tier", "free", "--max-parallel", "0"],
    ["rollout", "--tier", "free", "--max-parallel", "-1"],
    ["rollout", "--tier", "free", "--healthy-sec", "x"],
    ["rollout", "--tier", "free", "--healthy-sec", "infinity"],
    ["doctor", "--invariants", "--root", "/x"], ["pods", "-H", ""], ["pods", "--host=-oProxyCommand=x"],
    ["logs", "pod-001", "-n", "x"],
  ])
  func wrongUsageIsStatus64(arguments: [String]) {
    do {
      _ = try Podctl.parseAsRoot(arguments)
      Issue.record("\(arguments) was accepted")
    } catch {
      #expect(Podctl.exitCode(for: error).rawValue == 64)
    }
  }

  @Test func everyVerbHasHelp() {
    for verb in Podctl.verbs {
      let arguments = [verb._commandName, "--help"]
      #expect(Podctl.quicklyParsed(arguments).map { type(of: $0) } == nil)
      do {
        var help = try Podctl.parseAsRoot(arguments)
        try help.run()
        Issue.record("\(verb) has no help")
      } catch {
        #expect(Podctl.exitCode(for: error) == .success)
        #expect(Podctl.fullMessage(for: error).contains("USAGE: podctl \(verb._commandName)"))
      }
      #expect(!verb.configuration.abstract.isEmpty)
    }
  }

  @Test func aPlainListNeedsNoParserAndMeansTheSame() throws {
    let plain = try #require(Listing.plain(["pods", "--json", "--no-legend"]))
    #expect(plain.list == .pods && plain.context.json && plain.context.noLegend)
    #expect(Listing.plain(["pods", "-H", "web1"]) == nil)
    #expect(Listing.plain(["pods", "--help"]) == nil)
    #expect(Listing.plain(["status"]) == nil)
  }

  @Test func aPodsNameMeansThePodEvenIfItIsAValidUserName() throws {
    guard case .pod("pod-001") = try Target("pod-001") else { throw Failure("not a pod") }
    guard case .user(let user) = try Target("Pod-1"), user.text == "pod-1" else {
      throw Failure("not a user")
    }
  }

  @Test func untrustedTextIsShortAndHarmlessInMessages() {
    #expect(quoted("a\u{1B}[31mb\n") == "\"a?[31mb?\"")
    #expect(quoted(String(repeating: "x", count: 100)).count == 43)
  }
}
