import PodModel
import Testing
import Time
import TimeLiterals

@testable import PodStore

@Suite struct ProvisionTests {
  let scratch: Scratch
  let store: PlacementStore

  init() throws {
    scratch = try Scratch()
    store = try scratch.open()
  }

  @Test func `the first user gets pod-001 and what follows from its number`() throws {
    let done = try store.place("alice@example.com", now: 7)
    #expect(done.createdUser && done.createdPod && !done.wokePod)
    #expect(
      done.user
        == UserRecord(
          name: "alice@example.com", pod: pod(1), tier: "free", token: "token-alice@example.com-7",
          status: .active, epoch: 1, keptFrom: nil, createdAt: 7, changedAt: 7))
    #expect(done.pod.name.description == "pod-001")
    #expect(done.pod.port == 10001)
    #expect(done.pod.address == "127.77.0.1" && done.pod.frontAddress == "127.76.0.1")
    #expect(done.pod.uid == 1_900_000_001)
    #expect(done.pod.users == 1 && done.pod.generation == 0 && done.pod.wanted == .cold)
  }

  @Test func `a user id of somebody else is passed over, and one that nobody looked at is asked about`()
    throws
  {
    var uids = VettedUIDs()
    func place(_ name: UserName) throws -> Int {
      try store.provision(
        user: name, tier: "solo", usersPerPod: 1, portRange: 10_001...10_009, token: "of \(name)",
        wantRunning: false,
        uids: uids, now: 1
      ).pod.name.number
    }
    #expect(throws: StoreError.unvettedUID(1_900_000_001)) { try place("alice") }
    #expect(try store.counts().users == 0)
    uids.taken = [1_900_000_001, 1_900_000_002]
    #expect(throws: StoreError.unvettedUID(1_900_000_003)) { try place("alice") }
    uids.free = [1_900_000_003]
    #expect(try place("alice") == 3)
    // Who is placed needs no new pod.
    uids = VettedUIDs()
    #expect(try place("alice") == 3)
    // The person has gone: the gap is filled.
    uids.free = [1_900_000_001]
    #expect(try place("bob") == 1)
    uids.taken = Set(1_900_000_001...1_900_000_000 + PodAddress.highestNumber)
    #expect(throws: StoreError.addressesExhausted) { try place("carol") }
  }

  @Test func `a port that another program has is skipped`() throws {
    func place(_ user: UserName, taken: Set<Int>, in ports: ClosedRange<Int> = 10001...10005) throws -> Int {
      try store.provision(
        user: user, tier: "pro", usersPerPod: 1, portRange: ports, token: "t-\(user)", wantRunning: false,
        isFree: { !taken.contains($0) }, now: 1
      ).pod.port
    }
    #expect(try place("a", taken: [10001, 10002]) == 10003)
    #expect(try place("b", taken: [10001]) == 10002)
    #expect(try place("c", taken: [10004]) == 10001)
    #expect(try place("d", taken: [10004]) == 10005)
    #expect(throws: StoreError.portRangeExhausted(first: 10001, last: 10005)) {
      try place("e", taken: [10004])
    }
    // It is the next one's once it is free.
    #expect(try place("e", taken: []) == 10004)
    // A user who has a pod keeps it.
    #expect(try place("a", taken: Set(10001...10005)) == 10003)
  }

  @Test func `a second provision changes nothing`() throws {
    let first = try store.place("alice", now: 1)
    let second = try store.place("alice", tier: "pro", usersPerPod: 5, now: 2)
    #expect(!second.createdUser && !second.createdPod)
    #expect(second.user == first.user && second.pod == first.pod)
    #expect(try store.counts().users == 1)
  }

  @Test func `41 users make three pods of 20, 20 and 1`() throws {
    for n in 1...41 { try store.place("user\(n)") }
    #expect(try store.pods().map(\.users) == [20, 20, 1])
    #expect(try store.pods().map(\.port) == [10001, 10002, 10003])
    #expect(try store.counts().tiers == ["free": .init(pods: 3, users: 41)])
    #expect(try store.verifyInvariants(usersPerPod: ["free": 20]).isEmpty)
  }

  @Test func `the fullest pod with room is filled first, and of equals the lowest`() throws {
    for n in 1...6 { try store.place("user\(n)", usersPerPod: 2) }
    _ = try store.deprovision(user: "user1", purge: true, now: 2)
    _ = try store.deprovision(user: "user2", purge: true, now: 2)
    _ = try store.deprovision(user: "user4", purge: true, now: 2)
    _ = try store.deprovision(user: "user6", purge: true, now: 2)
    #expect(try store.pods().map(\.users) == [0, 1, 1])
    #expect(try store.place("a", usersPerPod: 2).pod.name == pod(2))
    #expect(try store.place("b", usersPerPod: 2).pod.name == pod(3))
    for user in ["user1", "user2"] as [UserName] { try store.forget(user: user) }
    _ = try store.podCleaned(pod(1))
    #expect(try store.place("c", usersPerPod: 2).pod.name == pod(1))
  }

  @Test func `tiers do not share pods`() throws {
    try store.place("alice")
    #expect(try store.place("bob", tier: "pro", usersPerPod: 5).pod.name == pod(2))
    #expect(try store.place("carol").pod.name == pod(1))
  }

  @Test func `a pod stopped by hand or held after a crash loop gets no new users`() throws {
    try store.place("alice")
    try store.setWanted(.stopped, pod: pod(1))
    #expect(try store.place("bob").pod.name == pod(2))
    try store.setCrashLoopHold(true, pod: pod(2))
    #expect(try store.place("carol").pod.name == pod(3))
    try store.setCrashLoopHold(false, pod: pod(2))
    try store.setWanted(.cold, pod: pod(1))
    try store.place("alice2")
    #expect(try store.pods().map(\.users) == [2, 1, 1])
  }

  @Test func `a pod is turned from cold to run, and a stopped one stays stopped`() throws {
    #expect(try store.place("alice", run: true).wokePod)
    #expect(try store.pod(pod(1)).wanted == .run)
    #expect(try !store.place("bob", run: true).wokePod)
    try store.setWanted(.stopped, pod: pod(1))
    #expect(try store.place("alice", run: true).pod.wanted == .stopped)
    try store.setWanted(.cold, pod: pod(1))
    #expect(try store.place("alice", run: true).wokePod)
  }

  @Test func `a suspended user is not placed again, and wakes no pod`() throws {
    try store.place("alice")
    let before = try store.suspend(user: "alice", now: 2)
    #expect(throws: StoreError.suspended("alice")) { try store.place("alice", run: true) }
    #expect(throws: StoreError.suspended("alice")) { try store.place("alice", tier: "pro") }
    #expect(try store.user("alice") == before.user)
    #expect(try store.pod(pod(1)) == before.pod)
  }

  @Test func `a port range that is used up leaves the placement as it was`() throws {
    for n in 1...6 { try store.place("user\(n)", usersPerPod: 2, ports: 10001...10003) }
    let (users, pods) = (try store.allUsers(), try store.pods())
    #expect(throws: StoreError.portRangeExhausted(first: 10001, last: 10003)) {
      try store.place("user7", usersPerPod: 2, ports: 10001...10003)
    }
    #expect(try store.allUsers() == users)
    #expect(try store.pods() == pods)
    #expect(try store.place("user7", usersPerPod: 2, ports: 10001...10004).pod.port == 10004)
  }

  @Test func `the lowest free number and port are taken, also after the range was changed`() throws {
    for n in 1...4 { try store.place("user\(n)", usersPerPod: 1, ports: 10005...10009) }
    try store.execute("DELETE FROM user WHERE pod = 2; DELETE FROM pod WHERE number = 2")
    let second = try store.place("a", usersPerPod: 1, ports: 10005...10009)
    #expect(second.pod.name == pod(2) && second.pod.port == 10006)
    let below = try store.place("b", usersPerPod: 1, ports: 10003...10009)
    #expect(below.pod.name == pod(5) && below.pod.port == 10003)
    #expect(try store.place("c", usersPerPod: 1, ports: 10003...10009).pod.port == 10004)
    #expect(try store.place("d", usersPerPod: 1, ports: 10008...10009).pod.port == 10009)
    #expect(throws: StoreError.portRangeExhausted(first: 10003, last: 10009)) {
      try store.place("e", usersPerPod: 1, ports: 10003...10009)
    }
  }

  @Test func `without a free address nobody is placed`() throws {
    try store.execute(
      """
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(PodAddress.highestNumber))
      INSERT INTO pod (number, host, tier, port, address, front_address, uid, created_at)
      SELECT i, 1, 'pro', i, 'a' || i, 'f' || i, \(PodName.firstUID) + i, 0 FROM n
      """)
    #expect(throws: StoreError.addressesExhausted) { try store.place("alice", ports: 65100...65200) }
    #expect(try store.allUsers().isEmpty)
  }

  @Test func `a tier without room for anybody is refused`() throws {
    #expect(throws: StoreError.self) { try store.place("alice", usersPerPod: 0) }
    #expect(try store.pods().isEmpty)
  }

  @Test func `two users never share a token`() throws {
    try store.place("alice")
    #expect(throws: StoreError.self) {
      try store.provision(
        user: "bob", tier: "free", usersPerPod: 20, portRange: 10001...19999, token: "token-alice-1",
        wantRunning: true, now: 2)
    }
    #expect(try store.allUsers().map(\.name) == ["alice"])
    #expect(try store.pod(pod(1)).wanted == .cold)
  }
}
