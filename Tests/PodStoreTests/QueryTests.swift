import PodModel
import Testing
import Time
import TimeLiterals

@testable import PodStore

@Suite struct QueryTests {
  let scratch: Scratch
  let store: PlacementStore

  init() throws {
    scratch = try Scratch()
    store = try scratch.open(auditLimit: 5)
  }

  @Test func `users come in pages, by name, deleted ones too`() throws {
    let names: [UserName] = (1...25).map { "user\($0)" }
    for name in names { try store.place(name) }
    _ = try store.deprovision(user: "user7", purge: false, now: 2)
    var seen: [UserName] = []
    while true {
      let page = try store.users(after: seen.last, limit: 10)
      if page.isEmpty { break }
      seen += page.map(\.name)
    }
    #expect(seen == names.sorted())
  }

  @Test func `totals count users by tier and status, and know the disk`() throws {
    for user in ["a", "b", "c", "d"] as [UserName] { try store.place(user) }
    try store.place("e", tier: "pro")
    _ = try store.suspend(user: "b", now: 2)
    _ = try store.deprovision(user: "c", purge: false, now: 2)
    let totals = try store.totals()
    #expect(totals.users == ["free": [.active: 2, .suspended: 1, .deleted: 1], "pro": [.active: 1]])
    let (size, available) = (try #require(totals.diskSize), try #require(totals.diskAvailable))
    #expect(size >= available && available > 0)
  }

  @Test func `times come back, and what no column holds becomes the nearest that one does`() throws {
    try store.place("alice", now: .epoch + .days(20_000))
    #expect(try store.user("alice").createdAt == .epoch + .days(20_000))
    try store.place("bob", now: .never)
    #expect(try store.user("bob").createdAt == .epoch + Microseconds(UInt64(Int64.max)))
    try store.execute("UPDATE user SET created_at = -1 WHERE name = 'bob'")
    #expect(try store.user("bob").createdAt == .epoch)
  }

  @Test func `a name that podctl never writes is reported as damage`() throws {
    try store.place("alice")
    try store.execute("UPDATE user SET name = 'Alice'")
    do throws(StoreError) {
      _ = try store.allUsers()
      Issue.record("the name is trusted")
    } catch {
      #expect(error.description.contains("it holds a value that podctl never writes (name is 'Alice')"))
    }
  }

  @Test func `counts are those of the placed`() throws {
    for n in 1...3 { try store.place("user\(n)", usersPerPod: 2) }
    try store.place("p", tier: "pro")
    _ = try store.deprovision(user: "user1", purge: false, now: 2)
    let counts = try store.counts()
    #expect(counts.pods == 3 && counts.users == 3)
    #expect(counts.tiers == ["free": .init(pods: 2, users: 2), "pro": .init(pods: 1, users: 1)])
  }

  @Test func `what is wanted and held is remembered across a reopening`() throws {
    try store.place("alice")
    try store.setWanted(.stopped, pod: pod(1))
    try store.setCrashLoopHold(true, pod: pod(1))
    try store.close()
    let again = try scratch.open()
    #expect(try again.pod(pod(1)).wanted == .stopped)
    #expect(try again.pod(pod(1)).crashLoopHold)
    #expect(throws: StoreError.noSuchPod(pod(2))) { try again.setWanted(.run, pod: pod(2)) }
    // What was meant for another pod of that number.
    let another = try again.pod(pod(1)).createdAt + .seconds(1)
    #expect(throws: StoreError.noSuchPod(pod(1))) {
      try again.setWanted(.run, pod: pod(1), createdAt: another)
    }
    #expect(throws: StoreError.noSuchPod(pod(1))) {
      try again.setCrashLoopHold(false, pod: pod(1), createdAt: another)
    }
    #expect(try again.pod(pod(1)).wanted == .stopped)
    #expect(throws: StoreError.noSuchPod(pod(2))) { try again.pod(pod(2)) }
  }

  @Test func `the audit keeps the newest entries`() throws {
    for n in 1...12 {
      try store.audit(
        AuditRecord(
          at: .epoch + Microseconds(UInt64(n)), uid: .max - 1, sender: ":1.\(n)", verb: "provision",
          subject: "user\(n)",
          result: "done"))
    }
    #expect(try store.auditTail(100).map(\.at) == [8, 9, 10, 11, 12])
    #expect(try store.auditTail(2).map(\.subject) == ["user11", "user12"])
    #expect(try store.auditTail(1).first?.uid == .max - 1)
  }
}
