import PodAPI
import PodModel
import Testing

@testable import PodctlCore

@Suite struct BatchTests {
  private func parse(_ text: String, tier: String? = nil) throws -> [ProvisionFile.Item] {
    try ProvisionFile.parse(Array(text.utf8), name: "users.txt", defaultTier: tier)
  }

  @Test func aLineIsAUserAndOptionallyATier() throws {
    let items = try parse("# list\nAlice@Example.com\r\n\n bob\tpro \ncarol", tier: "basic")
    #expect(items.map(\.user.text) == ["alice@example.com", "bob", "carol"])
    #expect(items.map(\.tier) == ["basic", "pro", "basic"])
    #expect(items.map(\.line) == [2, 4, 5])
  }

  @Test(arguments: [
    ("a\n../x\n", "users.txt:2: the user name starts with '.'"),
    ("a b c\n", "users.txt:1: a line is USER [TIER], nothing more"),
    ("a\nü\n-b\n", "users.txt:2: the user name has 0xC3 at byte 1"),
  ])
  func aFileWithABadLineIsRefusedAndTheLineIsNamed(text: String, expected: String) {
    let failure = #expect(throws: Failure.self) { try parse(text) }
    #expect(failure?.status == .usage)
    #expect(failure?.message.hasPrefix(expected) == true)
    #expect(failure?.message.hasSuffix("nothing was changed") == true)
  }

  private func placed(_ user: String, created: Bool = true) -> Placement {
    Placement(
      user: user, tier: "free", pod: "pod-001", unit: nil, address: "127.77.0.1",
      frontAddress: "127.76.0.1", port: 10001, state: "cold", created: created)
  }

  private func run(_ names: [String], failing: [String: SysExit]) -> ProvisionBatch {
    let users = names.compactMap { try? UserName(validating: $0) }
    let items = users.enumerated().map { ProvisionFile.Item(user: $1, tier: nil, line: $0 + 1) }
    return ProvisionBatch.run(items, cold: true) { item, _ throws(CallError) in
      if let status = failing[item.user.text] { throw CallError(name: "x", message: "no", status: status) }
      return placed(item.user.text, created: item.user.text != "old")
    } progress: { _ in
    }
  }

  @Test func anErrorOfOneUserDoesNotStopTheOthers() {
    let batch = run(["a", "b", "old"], failing: ["b": .temporary])
    #expect(batch.summary == "3 users: 1 placed, 1 already there, 1 failed.\n")
    #expect(batch.worstStatus == .temporary)
    #expect(run(["a"], failing: [:]).worstStatus == nil)
  }

  @Test func theWorstStatusWins() {
    #expect(
      run(["a", "b", "c"], failing: ["a": .temporary, "b": .failed, "c": .usage]).worstStatus == .failed)
  }

  @Test func aPodThatCannotBeResetDoesNotStopTheOthers() {
    func reset(_ status: SysExit) -> ResetAll {
      ResetAll.run(["pod-001", "pod-002", "pod-003"]) { pod throws(CallError) in
        if pod == "pod-002" { throw CallError(name: "x", message: "no", status: status) }
        return "ready"
      }
    }
    let outcome = reset(.failed)
    #expect(outcome.worstStatus == .failed)
    #expect(
      outcome.json.text
        == #"[{"pod":"pod-001","state":"ready"},{"pod":"pod-003","state":"ready"},{"pod":"pod-002","state":null}]"#
    )
    // Without podd the rest cannot succeed either.
    #expect(reset(.unreachable).states.map(\.pod) == ["pod-001"])
    #expect(ResetAll.run([]) { _ throws(CallError) in "" }.worstStatus == nil)
  }

  @Test func withoutPoddNothingMoreIsTried() {
    let batch = run(["a", "b", "c"], failing: ["b": .unreachable, "c": .failed])
    #expect(batch.results.count == 2)
    #expect(batch.worstStatus == .unreachable)
  }

  @Test func jsonHasOneObjectAnItemWithTheSameKeys() {
    #expect(
      run(["a", "b"], failing: ["b": .failed]).json.text
        == #"[{"user":"a","tier":"free","pod":"pod-001","unit":null,"address":"127.77.0.1","#
        + #""front_address":"127.76.0.1","port":10001,"state":"cold","created":true,"error":null},"#
        + #"{"user":"b","tier":null,"pod":null,"unit":null,"address":null,"front_address":null,"#
        + #""port":null,"state":null,"created":false,"error":"no"}]"#)
  }
}
