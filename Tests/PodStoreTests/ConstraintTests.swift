import GRDB
import PodModel
import Testing

@testable import PodStore

/// What the schema itself refuses, whoever writes the SQL.
@Suite struct ConstraintTests {
  let scratch: Scratch
  let store: PlacementStore

  init() throws {
    scratch = try Scratch()
    store = try scratch.open()
    try store.place("alice", usersPerPod: 1)
    try store.place("bob", usersPerPod: 1)
  }

  @Test(arguments: ["port", "address", "front_address", "uid"])
  func `two pods never share`(column: String) throws {
    #expect(throws: StoreError.self) {
      try store.execute(
        "UPDATE pod SET \(column) = (SELECT \(column) FROM pod WHERE number = 1) WHERE number = 2")
    }
    #expect(try store.verifyInvariants().isEmpty)
  }

  @Test(arguments: [
    "UPDATE user SET pod = 99 WHERE name = 'alice'",
    "UPDATE user SET pod = NULL WHERE name = 'alice'",
    "UPDATE user SET status = 'gone' WHERE name = 'alice'",
    "UPDATE user SET token = (SELECT token FROM user WHERE name = 'bob') WHERE name = 'alice'",
    "UPDATE user SET token = NULL WHERE name = 'alice'",
    "DELETE FROM pod WHERE number = 1",
    "UPDATE pod SET wanted = 'maybe'",
    "UPDATE pod SET users = -1",
    "UPDATE pod SET port = 70000 WHERE number = 1",
    "UPDATE pod SET generation = 'many'",
    "UPDATE pod SET host = 2",
  ])
  func `no statement breaks a rule`(sql: String) throws {
    #expect(throws: StoreError.self) { try store.execute(sql) }
    #expect(try store.verifyInvariants().isEmpty)
  }

  @Test func `a pod's count follows its users whoever moves them`() throws {
    try store.execute("UPDATE user SET pod = 2 WHERE name = 'alice'")
    #expect(try store.pods().map(\.users) == [0, 2])
    try store.execute("DELETE FROM user")
    #expect(try store.pods().map(\.users) == [0, 0])
  }

  @Test(arguments: [
    ("UPDATE pod SET users = 7 WHERE number = 1", "pod 1"),
    ("UPDATE pod SET tier = 'pro' WHERE number = 2", "bob"),
    ("UPDATE pod SET uid = 5 WHERE number = 2", "pod-002"),
    ("UPDATE host SET epoch = 0", "alice"),
    ("UPDATE pod SET generation = 3 WHERE number = 1", "pod 1"),
    (
      "INSERT INTO generation (pod, generation, unit, begun_at) VALUES (8, 1, 'pod-008-1.scope', 0)",
      "pod-008"
    ),
    ("PRAGMA foreign_keys = OFF; BEGIN; UPDATE user SET pod = 9 WHERE name = 'bob'; COMMIT", "bob"),
  ])
  func `doctor finds what was broken by hand`(sql: String, named: String) throws {
    try store.queue.writeWithoutTransaction { db in try db.execute(sql: sql) }
    let broken = try store.verifyInvariants()
    #expect(broken.contains { $0.contains(named) }, "\(broken)")
  }

  @Test func `a pod above its tier's limit is found`() throws {
    try store.execute("UPDATE user SET pod = 2 WHERE name = 'alice'")
    #expect(try store.verifyInvariants(usersPerPod: ["free": 1]).count == 1)
  }
}
