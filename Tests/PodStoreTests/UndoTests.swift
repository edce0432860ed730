import PodModel
import Testing
import Time
import TimeLiterals

@testable import PodStore

@Suite struct UndoTests {
  let scratch: Scratch
  let store: PlacementStore

  init() throws {
    scratch = try Scratch()
    store = try scratch.open()
  }

  @Test func `a new user on a new pod leaves nothing behind`() throws {
    let done = try store.place("alice", run: true)
    #expect(try store.undoProvision(done))
    #expect(try store.allUsers().isEmpty && store.pods().isEmpty)
  }

  @Test func `a pod whose number comes back goes on with the next generation`() throws {
    let done = try store.place("alice", run: true)
    let unit = UnitName(pod: pod(1), generation: try store.beginGeneration(pod: pod(1), now: 2))
    try store.endGeneration(unit, reason: .launchFailed(stage: .exec, error: "ENOENT"), now: 3)
    #expect(try store.undoProvision(done))
    #expect(try store.place("bob").pod.name == pod(1))
    #expect(try store.beginGeneration(pod: pod(1), now: 4) == 2)
    #expect(try store.verifyInvariants().isEmpty)
  }

  @Test func `others' users, pods and wishes stay`() throws {
    try store.place("alice", run: true)
    let bob = try store.place("bob", run: true)
    #expect(try !store.undoProvision(bob))
    #expect(try store.users(ofPod: pod(1)).map(\.name) == ["alice"])
    #expect(try store.pod(pod(1)).wanted == .run)
  }

  @Test func `a pod that somebody else came to in the meantime stays`() throws {
    let alice = try store.place("alice", run: true)
    try store.place("bob")
    #expect(try !store.undoProvision(alice))
    #expect(try store.pods().map(\.users) == [1])
    #expect(try store.pod(pod(1)).wanted == .cold)
  }

  @Test func `a pod with a generation that has not ended stays`() throws {
    let alice = try store.place("alice", run: true)
    _ = try store.beginGeneration(pod: pod(1), now: 2)
    #expect(try !store.undoProvision(alice))
    #expect(try store.pods().map(\.wanted) == [.run])
    #expect(try store.allUsers().isEmpty)
  }

  @Test func `a user who had a place keeps it`() throws {
    try store.place("alice")
    let again = try store.place("alice", run: true)
    try store.undoProvision(again)
    #expect(try store.user("alice").status == .active)
    #expect(try store.pod(pod(1)).wanted == .cold)
  }

  @Test func `a revived user is deleted again, and where the data lies is known`() throws {
    try store.place("alice", now: 1)
    _ = try store.deprovision(user: "alice", purge: false, now: 2)
    try store.dataSettled(user: "alice")
    let before = try store.user("alice")
    let done = try store.place("alice", tier: "pro", usersPerPod: 5, now: 3)
    #expect(try !store.undoProvision(done), "the data may lie in the new pod's directory")
    #expect(try store.user("alice").keptFrom == pod(2))
    try store.dataSettled(user: "alice")
    #expect(try store.user("alice") == before)
  }

  @Test func `once the data was put aside, a revived user's new pod goes too`() throws {
    try store.place("alice", now: 1)
    _ = try store.deprovision(user: "alice", purge: false, now: 2)
    try store.dataSettled(user: "alice")
    let (user, pods) = (try store.user("alice"), try store.pods())
    let done = try store.place("alice", tier: "pro", usersPerPod: 5, now: 3)
    #expect(try store.undoProvision(done, dataPutAside: true))
    #expect(try store.user("alice") == user)
    #expect(try store.pods() == pods)
  }

  @Test func `a placement that has changed since is not touched`() throws {
    let done = try store.place("alice", now: 1)
    _ = try store.deprovision(user: "alice", purge: true, now: 2)
    #expect(throws: StoreError.self) { try store.undoProvision(done) }
    let again = try store.place("alice", now: 3)
    #expect(throws: StoreError.self) { try store.undoProvision(done) }
    #expect(try store.user("alice") == again.user)
  }
}
