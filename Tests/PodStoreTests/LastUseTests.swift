import PodModel
import Testing
import Time
import TimeLiterals

@testable import PodStore

@Suite struct LastUseTests {
  let scratch: Scratch
  let store: PlacementStore

  init() throws {
    scratch = try Scratch()
    store = try scratch.open()
    try store.place("alice", now: 1)
    try store.place("bob", now: 1)
  }

  @Test func `a later use counts, an earlier one and one of a stranger do not`() throws {
    #expect(try store.lastUses().isEmpty && store.user("alice").lastUsedAt == nil)
    try store.recordUse([("bob", 7), ("alice", 20), ("alice", 19), ("mallory", 20)], now: 30)
    try store.recordUse([("alice", 12), ("bob", 8)], now: 31)
    #expect(try store.lastUses().map(\.user) == ["alice", "bob"])
    #expect(try store.lastUses().map(\.at) == [20, 8])
    #expect(try store.user("alice").lastUsedAt == 20)
    #expect(try store.allUsers().count == 2, "nobody is made by being named")
  }

  @Test func `what lies in the future is now, and does not stay`() throws {
    try store.recordUse([("alice", 1000)], now: 900)
    #expect(try store.user("alice").lastUsedAt == 900)
    // The clock was wrong, and has been set back.
    try store.recordUse([("alice", 50)], now: 60)
    #expect(try store.user("alice").lastUsedAt == 50)
  }

  @Test func `it outlives a suspension and a removal that keeps the data, and a reopened database`() throws {
    try store.recordUse([("alice", 5)], now: 6)
    _ = try store.suspend(user: "alice", now: 7)
    try store.deprovisionAndCarry("alice")
    try store.place("alice", now: 10)
    try store.close()
    #expect(try scratch.open().user("alice").lastUsedAt == 5)
  }

  @Test func `a purged user leaves nothing`() throws {
    try store.recordUse([("alice", 5)], now: 6)
    _ = try store.deprovision(user: "alice", purge: true, now: 7)
    try store.forget(user: "alice")
    try store.place("alice", now: 10)
    #expect(try store.lastUses().isEmpty)
  }
}
