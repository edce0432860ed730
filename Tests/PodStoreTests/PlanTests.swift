import GRDB
import PodModel
import Synchronization
import Testing
import Time
import TimeLiterals

@testable import PodStore

@Suite struct PlanTests {
  /// A million users are placed and asked for in constant time only when no statement reads a whole table.
  @Test func `no statement of the hot operations scans a table`() throws {
    let scratch = try Scratch()
    let store = try scratch.open()
    let statements = Statements()
    try store.place("nobody", usersPerPod: 1)
    try store.place("removed", usersPerPod: 1)
    try store.place("last", usersPerPod: 1)
    try store.execute("DELETE FROM user WHERE name = 'removed'; DELETE FROM pod WHERE number = 2")
    store.queue.writeWithoutTransaction { db in
      db.trace { event in
        if case .statement(let statement) = event { statements.add(statement.sql) }
      }
    }
    let done = try store.place("alice", usersPerPod: 1, run: true)
    try store.undoProvision(done)
    try store.forget(user: "alice")
    _ = try store.podsDueForCleaning(lastUser: "alice")
    _ = try store.podCleaned(done.pod.name, remove: true)
    try store.place("alice", run: true)
    try store.place("bob", usersPerPod: 2)
    _ = try store.deprovision(user: "alice", purge: false, now: 2)
    try store.undoProvision(try store.place("alice"))
    try store.dataPutAside(user: "alice")
    try store.dataArrived(user: "alice")
    try store.programArrived(user: "alice")
    _ = try store.suspend(user: "bob", now: 3)
    _ = try store.resume(user: "bob", token: "fresh", now: 3)
    _ = try store.deprovision(user: "alice", purge: true, now: 3)
    _ = try store.podsDueForCleaning()
    try store.layoutMigrated(pod: pod(1))
    _ = try store.unsettled()
    let unit = UnitName(pod: pod(1), generation: try store.beginGeneration(pod: pod(1), now: 1))
    try store.generationStarted(
      unit, bootID: "b", invocationID: "i", mainPID: 2, mainStartTicks: 3, now: 4)
    try store.generationReady(unit, now: 5)
    _ = try store.openGenerations()
    try store.endGeneration(unit, reason: .idle, now: 6)
    _ = try store.generations(ofPod: pod(1), limit: 3)
    try store.setWanted(.run, pod: pod(1))
    try store.setCrashLoopHold(false, pod: pod(1))
    try store.audit(AuditRecord(at: 1, uid: 0, sender: "", verb: "", subject: "", result: ""))
    _ = try store.users(after: "b", limit: 10)
    _ = try store.users(ofPod: pod(1))
    _ = try store.user("bob")
    try store.recordUse([("bob", 4)], now: 5)
    store.queue.writeWithoutTransaction { db in db.trace(options: []) }

    let seen = statements.all.filter { sql in
      ["SELECT", "INSERT", "UPDATE", "DELETE"].contains { sql.hasPrefix($0) }
    }
    #expect(seen.count > 20)
    for sql in seen {
      let plan = try store.read { db in
        let statement = try db.makeStatement(sql: "EXPLAIN QUERY PLAN \(sql)")
        statement.setUncheckedArguments([])
        return try Row.fetchAll(statement).map { $0["detail"] as String }
      }
      for step in plan {
        // These indexes hold nothing but the rows asked for.
        let allowed = ["CONSTANT ROW", "user_unsettled", "generation_open", "pod_due_for_cleaning"].contains {
          step.contains($0)
        }
        #expect(!step.hasPrefix("SCAN") || allowed, "\(step) in: \(sql)")
        #expect(!step.contains("TEMP B-TREE"), "\(step) in: \(sql)")
      }
    }
  }
}

private final class Statements: Sendable {
  private let seen = Mutex<Set<String>>([])
  func add(_ sql: String) { seen.withLock { _ = $0.insert(sql) } }
  var all: [String] { seen.withLock { $0.sorted() } }
}
