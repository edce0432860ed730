import PodModel
import Testing
import Time
import TimeLiterals

@testable import PodStore

@Suite struct DeprovisionTests {
  let scratch: Scratch
  let store: PlacementStore

  init() throws {
    scratch = try Scratch()
    store = try scratch.open()
    try store.place("alice", now: 1)
    try store.place("bob", now: 1)
  }

  @Test func `a deleted user loses place and token, and the data is remembered`() throws {
    let done = try store.deprovision(user: "alice", purge: false, now: 2)
    #expect(done.user.status == .active && done.pod?.name == pod(1) && done.pod?.users == 1)
    let alice = try store.user("alice")
    #expect(alice.status == .deleted && alice.pod == nil && alice.token == nil)
    #expect(alice.keptFrom == pod(1) && alice.createdAt == 1 && alice.changedAt == 2)
    #expect(alice.epoch > done.user.epoch)
    #expect(try store.users(ofPod: pod(1)).map(\.name) == ["bob"])
    #expect(try store.unsettled().map(\.name) == ["alice"])
    try store.dataSettled(user: "alice")
    #expect(try store.unsettled().isEmpty)
    #expect(try store.verifyInvariants().isEmpty)
  }

  @Test func `deleting twice changes nothing the second time`() throws {
    _ = try store.deprovision(user: "alice", purge: false, now: 2)
    let after = try store.user("alice")
    let second = try store.deprovision(user: "alice", purge: false, now: 3)
    #expect(second.pod == nil && second.user == after)
    #expect(try store.user("alice") == after)
  }

  @Test func `a purged user is gone, also one who had been deleted before`() throws {
    #expect(try store.deprovision(user: "bob", purge: true, now: 2).pod?.users == 1)
    #expect(throws: StoreError.noSuchUser("bob")) { try store.user("bob") }
    _ = try store.deprovision(user: "alice", purge: false, now: 2)
    _ = try store.deprovision(user: "alice", purge: true, now: 3)
    #expect(try store.allUsers().isEmpty)
    #expect(try store.verifyInvariants().isEmpty)
  }

  @Test func `an unknown user is named in the error`() throws {
    #expect(throws: StoreError.noSuchUser("nobody")) {
      try store.deprovision(user: "nobody", purge: false, now: 2)
    }
    #expect(throws: StoreError.noSuchUser("nobody")) { try store.dataSettled(user: "nobody") }
    #expect("\(StoreError.noSuchUser("nobody"))".contains("nobody"))
  }

  @Test func `a revived user gets a new token, a higher epoch and the way to the old data`() throws {
    _ = try store.deprovision(user: "alice", purge: false, now: 2)
    let deleted = try store.user("alice")
    let revived = try store.place("alice", tier: "pro", usersPerPod: 5, now: 3)
    #expect(revived.createdUser && revived.createdPod && revived.previousData == pod(1))
    #expect(revived.user.token == "token-alice-3" && revived.user.epoch > deleted.epoch)
    #expect(revived.user.createdAt == 1 && revived.user.tier == "pro")
    #expect(try store.unsettled().map(\.name) == ["alice"], "the data has still to be moved")
    #expect(throws: StoreError.self) { try store.deprovision(user: "alice", purge: false, now: 4) }
    try store.dataSettled(user: "alice")
    #expect(try store.deprovision(user: "alice", purge: false, now: 5).pod?.name == pod(2))
  }

  @Test func `an epoch rises even when a user was purged in between`() throws {
    let before = try store.user("alice").epoch
    _ = try store.deprovision(user: "alice", purge: true, now: 2)
    #expect(try store.place("alice", now: 3).user.epoch > before)
  }
}
