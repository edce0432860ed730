import GRDB
import Glibc
import PodModel
import Testing
import Time
import TimeLiterals

@testable import PodStore

/// A customer inherits nothing: what becomes of a pod that its last user has left (decision 0021).
@Suite struct CleaningTests {
  let scratch: Scratch
  let store: PlacementStore

  init() throws {
    scratch = try Scratch()
    store = try scratch.open()
  }

  @Test func `a pod whose last user left gets no user before it is cleaned`() throws {
    try store.place("alice")
    try store.place("bob")
    #expect(try store.deprovision(user: "alice", purge: false, now: 2).pod?.cleaning == nil)
    let left = try store.deprovision(user: "bob", purge: false, now: 3).pod
    #expect(left?.cleaning?.kind == .keep && left?.cleaning?.user == "bob")
    #expect(try store.place("carol").pod.name == pod(2))
    #expect(try store.podsDueForCleaning().map(\.name) == [pod(1)])
    #expect(try store.podsDueForCleaning(lastUser: "bob").map(\.name) == [pod(1)])
    #expect(try store.podsDueForCleaning(lastUser: "alice").isEmpty)

    #expect(throws: StoreError.self, "data of users lies in its directory") { try store.podCleaned(pod(1)) }
    try store.dataPutAside(user: "alice")
    try store.dataPutAside(user: "bob")
    #expect(try !store.podCleaned(pod(1)))
    #expect(try store.pod(pod(1)).served == .nobody)
    #expect(throws: StoreError.self, "it is clean") { try store.podCleaned(pod(1)) }
    try store.deprovisionAndCarry("carol")
    #expect(try store.place("dave").pod.name == pod(1))
    #expect(try store.verifyInvariants().isEmpty)
  }

  @Test func `what a program stored comes back to a user whom alone it served`() throws {
    try store.place("alice", usersPerPod: 1)
    #expect(try store.pod(pod(1)).served == .only("alice"))
    try store.deprovisionAndCarry("alice")
    _ = try store.podCleaned(pod(1), keptAs: "pod-001-2")
    #expect(try store.user("alice").programKept == "pod-001-2")
    let back = try store.place("alice", usersPerPod: 1)
    #expect(back.user.programKept == "pod-001-2" && back.pod.served == .only("alice"))
    try store.programArrived(user: "alice")
    #expect(try store.user("alice").programKept == nil)
  }

  @Test func `what a program stored for several comes back to none of them`() throws {
    try store.place("alice")
    try store.place("bob")
    #expect(try store.pod(pod(1)).served == .several)
    try store.deprovisionAndCarry("alice")
    try store.deprovisionAndCarry("bob")
    _ = try store.podCleaned(pod(1), keptAs: "pod-001-2")
    #expect(try store.user("bob").programKept == nil && store.user("alice").programKept == nil)
  }

  @Test func `a pod that a user left and another one came to has served several`() throws {
    try store.place("alice")
    let bob = try store.place("bob")
    try store.undoProvision(bob)
    #expect(try store.pod(pod(1)).served == .several, "its program may know of bob")
  }

  @Test func `with a user who is purged, what the program stored is removed`() throws {
    try store.place("alice")
    #expect(try store.deprovision(user: "alice", purge: true, now: 2).pod?.cleaning?.kind == .remove)
    try store.place("bob", tier: "pro")
    #expect(try store.deprovision(user: "bob", purge: false, now: 2).pod?.cleaning?.kind == .keep)
    _ = try store.deprovision(user: "bob", purge: true, now: 2)
    #expect(try store.pod(pod(2)).cleaning?.kind == .remove, "purged before it was put aside")
  }

  @Test func `no two cleanings of a pod have the same number`() throws {
    var ids: Set<Int64> = []
    for round in 1...3 {
      let done = try store.place("alice", now: WallTime(sinceEpoch: Microseconds(UInt64(round))))
      if round == 2 {
        try store.undoProvision(done)
        try store.dataPutAside(user: "alice")
      } else {
        try store.deprovisionAndCarry("alice")
      }
      ids.insert(try #require(store.pod(pod(1)).cleaning).id)
      _ = try store.podCleaned(pod(1))
    }
    #expect(ids.count == 3)
  }

  @Test func `a pod that goes with its cleaning leaves nothing behind`() throws {
    try store.undoProvision(store.place("alice", run: true))
    #expect(try store.podsDueForCleaning().map(\.cleaning?.kind) == [.remove])
    #expect(throws: StoreError.self) { try store.podCleaned(pod(1), remove: true) }
    try store.forget(user: "alice")
    #expect(try store.podCleaned(pod(1), remove: true))
    #expect(try store.pods().isEmpty && store.allUsers().isEmpty)
  }

  @Test func `a number whose directory has something in it is not given to a new pod`() throws {
    try store.close()
    let again = try PlacementStore(file: scratch.database, podDirectories: scratch.path)
    try makeDirectory(scratch.path + "/pod-001/users")
    try makeDirectory(scratch.path + "/pod-002/stored")
    defer {
      for name in ["pod-002/stored", "pod-002"] { rmdir("\(scratch.path)/\(name)") }
    }
    #expect(try again.place("alice", usersPerPod: 1).pod.name == pod(1), "an empty one is nobody's")
    let bob = try again.place("bob", usersPerPod: 1)
    #expect(bob.pod.name == pod(3) && bob.pod.uid == 1_900_000_003 && bob.pod.port == 10002)
    #expect(try again.verifyInvariants().isEmpty)
  }
}
