import PodModel
import Testing
import Time
import TimeLiterals

@testable import PodStore

@Suite struct SuspensionTests {
  let scratch: Scratch
  let store: PlacementStore

  init() throws {
    scratch = try Scratch()
    store = try scratch.open()
    try store.place("alice", usersPerPod: 2, run: true, now: 1)
    try store.place("bob", usersPerPod: 2, now: 1)
  }

  @Test func `a suspended user keeps the place, and the pod counts who has access`() throws {
    let before = try store.user("alice")
    let change = try store.suspend(user: "alice", now: 2)
    #expect(change.isNew && change.user.status == .suspended && change.user.pod == pod(1))
    #expect(change.user.epoch > before.epoch && change.user.changedAt == 2)
    #expect(change.pod.users == 2 && change.pod.activeUsers == 1 && change.pod.wanted == .run)
    #expect(try store.place("carol", usersPerPod: 2).pod.name == pod(2), "the place is taken")
    #expect(try store.suspend(user: "bob", now: 3).pod.activeUsers == 0)
    #expect(try store.pods().map(\.activeUsers) == [0, 1])
    #expect(try store.verifyInvariants().isEmpty)
  }

  @Test func `a resumed user has another token, and nobody else notices`() throws {
    let before = try store.user("alice")
    let bob = try store.user("bob")
    let suspended = try store.suspend(user: "alice", now: 2).user
    let change = try store.resume(user: "alice", token: "fresh", now: 3)
    #expect(change.isNew && change.user.status == .active && change.user.token == "fresh")
    #expect(before.token != "fresh" && change.user.epoch > suspended.epoch)
    #expect(change.pod.activeUsers == 2)
    #expect(try store.user("bob") == bob)
  }

  @Test func `what is so already stays as it is`() throws {
    let alice = try store.user("alice")
    let active = try store.resume(user: "alice", token: "fresh", now: 2)
    #expect(!active.isNew && active.user == alice, "an active user keeps the token")
    let suspended = try store.suspend(user: "alice", now: 3)
    let again = try store.suspend(user: "alice", now: 4)
    #expect(!again.isNew && again.user == suspended.user)
  }

  @Test func `only who is placed can be suspended, and who is suspended can be removed`() throws {
    #expect(throws: StoreError.noSuchUser("nobody")) { try store.suspend(user: "nobody", now: 2) }
    _ = try store.suspend(user: "alice", now: 2)
    let gone = try store.deprovision(user: "alice", purge: false, now: 3)
    #expect(gone.deleted.status == .deleted && gone.pod?.users == 1 && gone.pod?.activeUsers == 1)
    #expect(throws: StoreError.noSuchUser("alice")) { try store.suspend(user: "alice", now: 4) }
    #expect(throws: StoreError.noSuchUser("alice")) { try store.resume(user: "alice", token: "x", now: 4) }
    #expect(try store.verifyInvariants().isEmpty)
  }
}
