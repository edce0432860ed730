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

  /// As podd does it: the data first, then the pod's directory.
  private func finish(_ name: PodName) throws -> Bool {
    for user in try store.unsettled() where user.keptFrom == name {
      if user.isPurging { try store.forget(user: user.name) } else { try store.dataPutAside(user: user.name) }
    }
    return try store.podCleaned(name, remove: true)
  }

  @Test func `a new user on a new pod leaves nothing behind`() throws {
    let done = try store.place("alice", run: true)
    #expect(try store.undoProvision(done)?.isPurging == true)
    #expect(try finish(pod(1)))
    #expect(try store.allUsers().isEmpty && store.pods().isEmpty)
  }

  @Test func `a pod whose number comes back goes on with the next generation`() throws {
    let done = try store.place("alice", run: true)
    let unit = UnitName(pod: pod(1), generation: try store.beginGeneration(pod: pod(1), now: 2))
    try store.endGeneration(unit, reason: .launchFailed(stage: .exec, error: "ENOENT"), now: 3)
    try store.undoProvision(done)
    #expect(try finish(pod(1)))
    #expect(try store.place("bob").pod.name == pod(1))
    #expect(try store.beginGeneration(pod: pod(1), now: 4) == 2)
    #expect(try store.verifyInvariants().isEmpty)
  }

  @Test func `others' users, pods and wishes stay`() throws {
    try store.place("alice", run: true)
    let bob = try store.place("bob", run: true)
    try store.undoProvision(bob)
    #expect(try store.users(ofPod: pod(1)).map(\.name) == ["alice"])
    #expect(try store.pod(pod(1)).wanted == .run)
  }

  @Test func `a pod that somebody else came to in the meantime stays`() throws {
    let alice = try store.place("alice", run: true)
    try store.place("bob")
    try store.undoProvision(alice)
    #expect(throws: StoreError.self) { try finish(pod(1)) }
    #expect(try store.pods().map(\.users) == [1])
    #expect(try store.pod(pod(1)).wanted == .cold)
  }

  @Test func `a pod with a generation that has not ended stays`() throws {
    let alice = try store.place("alice", run: true)
    _ = try store.beginGeneration(pod: pod(1), now: 2)
    try store.undoProvision(alice)
    #expect(try !finish(pod(1)))
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

  @Test func `a revived user is deleted again, and where the data may lie is known`() throws {
    try store.place("alice", now: 1)
    try store.deprovisionAndCarry("alice")
    _ = try store.podCleaned(pod(1))
    let (before, pods) = (try store.user("alice"), try store.pods())
    let done = try store.place("alice", tier: "pro", usersPerPod: 5, now: 3)
    #expect(try store.undoProvision(done)?.keptFrom == pod(2))
    #expect(try finish(pod(2)))
    #expect(try store.user("alice") == before)
    #expect(try store.pods() == pods)
  }

  @Test func `a placement that has changed since is not touched`() throws {
    let done = try store.place("alice", now: 1)
    _ = try store.deprovision(user: "alice", purge: true, now: 2)
    #expect(throws: StoreError.self) { try store.undoProvision(done) }
    try store.forget(user: "alice")
    let again = try store.place("alice", now: 3)
    #expect(throws: StoreError.self) { try store.undoProvision(done) }
    #expect(try store.user("alice") == again.user)
  }
}
