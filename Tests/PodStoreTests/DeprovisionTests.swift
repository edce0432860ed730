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
    try store.dataPutAside(user: "alice")
    #expect(try store.unsettled().isEmpty)
    #expect(try store.verifyInvariants().isEmpty)
  }

  @Test func `deleting twice changes nothing the second time`() throws {
    _ = try store.deprovision(user: "alice", purge: false, now: 2)
    let after = try store.user("alice")
    let second = try store.deprovision(user: "alice", purge: false, now: 3)
    #expect(second.pod == nil && second.user == after && second.deleted == after)
    #expect(try store.user("alice") == after)
  }

  @Test func `a purged user is on record until the data is gone, and nobody is placed under that name`()
    throws
  {
    let gone = try store.deprovision(user: "bob", purge: true, now: 2)
    #expect(gone.pod?.users == 1 && gone.deleted.isPurging && gone.deleted.keptFrom == pod(1))
    #expect(try store.unsettled().map(\.name) == ["bob"])
    #expect(throws: StoreError.self) { try store.place("bob", now: 3) }
    try store.forget(user: "bob")
    #expect(throws: StoreError.noSuchUser("bob")) { try store.user("bob") }
    #expect(try store.verifyInvariants().isEmpty)
  }

  @Test func `a user who had been deleted before can be purged, and only who is to be purged is forgotten`()
    throws
  {
    _ = try store.deprovision(user: "alice", purge: false, now: 2)
    #expect(throws: StoreError.noSuchUser("alice")) { try store.forget(user: "alice") }
    try store.dataPutAside(user: "alice")
    #expect(try store.deprovision(user: "alice", purge: true, now: 3).deleted.isPurging)
    try store.forget(user: "alice")
    #expect(try store.allUsers().map(\.name) == ["bob"])
    #expect(try store.verifyInvariants().isEmpty)
  }

  @Test func `an unknown user is named in the error`() throws {
    #expect(throws: StoreError.noSuchUser("nobody")) {
      try store.deprovision(user: "nobody", purge: false, now: 2)
    }
    #expect(throws: StoreError.noSuchUser("nobody")) { try store.dataPutAside(user: "nobody") }
    #expect("\(StoreError.noSuchUser("nobody"))".contains("nobody"))
  }

  @Test func `a revived user gets a new token, a higher epoch and the way to the old data`() throws {
    _ = try store.deprovision(user: "alice", purge: false, now: 2)
    let deleted = try store.user("alice")
    let revived = try store.place("alice", tier: "pro", usersPerPod: 5, now: 3)
    #expect(revived.createdUser && revived.createdPod && revived.user.keptFrom == pod(1))
    #expect(revived.user.isArriving && revived.user.pod == pod(2))
    #expect(revived.user.token == "token-alice-3" && revived.user.epoch > deleted.epoch)
    #expect(revived.user.createdAt == 1 && revived.user.tier == "pro")
    #expect(try store.unsettled().map(\.name) == ["alice"], "the data has still to be moved")
    try store.dataPutAside(user: "alice")
    #expect(try store.user("alice").isArriving)
    try store.dataArrived(user: "alice")
    #expect(try store.unsettled().isEmpty)
    #expect(try store.deprovision(user: "alice", purge: false, now: 5).pod?.name == pod(2))
    #expect(try store.verifyInvariants().isEmpty)
  }

  @Test func `a revived user whose data has not come can be deleted again, and where it may lie is known`()
    throws
  {
    _ = try store.deprovision(user: "alice", purge: false, now: 2)
    try store.place("alice", tier: "pro", usersPerPod: 5, now: 3)
    let early = try store.deprovision(user: "alice", purge: false, now: 4).deleted
    #expect(early.keptFrom == pod(1) && !early.isArriving, "it never left its first pod")
    try store.dataPutAside(user: "alice")
    try store.place("alice", tier: "pro", usersPerPod: 5, now: 5)
    let late = try store.deprovision(user: "alice", purge: false, now: 6).deleted
    #expect(late.keptFrom == pod(3) && !late.isArriving, "podd may have brought it, and not recorded that")
    #expect(try store.verifyInvariants().isEmpty)
  }

  @Test func `an epoch rises even when a user was purged in between`() throws {
    let before = try store.user("alice").epoch
    _ = try store.deprovision(user: "alice", purge: true, now: 2)
    try store.forget(user: "alice")
    #expect(try store.place("alice", now: 3).user.epoch > before)
  }
}
