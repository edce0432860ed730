import GRDB
import PodModel
import Seeded
import Testing
import Time
import TimeLiterals

@testable import PodStore

/// What the store should do, said as plainly as possible: arrays searched from the front.
private struct Naive {
  struct Pod: Equatable {
    var number: Int
    var tier: String
    var port: Int
    var wanted = PodRecord.Wanted.cold
    var held = false
    var generation = 0
    var open: Set<Int> = []
    /// Whom it has served since it was made or cleaned.
    var served: Set<UserName> = []
    var cleaning: PodRecord.Cleaning.Kind?
    var lastUser: UserName?
  }
  struct User: Equatable {
    var pod: Int?
    var tier: String
    var token: String?
    var keptFrom: Int?
    var isArriving = false
    var isPurging = false
  }

  var pods: [Pod] = []
  var users: [UserName: User] = [:]
  var lastGeneration: [Int: Int] = [:]

  func count(_ pod: Int) -> Int { users.values.count { $0.pod == pod } }

  /// Somebody has left a pod.
  mutating func left(_ pod: Int?, _ user: UserName, purged: Bool) {
    guard let index = pods.firstIndex(where: { $0.number == pod }), count(pods[index].number) == 0 else {
      return
    }
    pods[index].cleaning = purged ? .remove : .keep
    pods[index].lastUser = user
  }

  mutating func provision(
    _ name: UserName, _ tier: String, _ limit: Int, _ ports: ClosedRange<Int>, _ token: String
  )
    -> Bool
  {
    if users[name]?.pod != nil { return true }
    let roomy = pods.filter {
      $0.tier == tier && $0.wanted != .stopped && !$0.held && $0.cleaning == nil && count($0.number) < limit
    }
    var number = roomy.max { (count($0.number), -$0.number) < (count($1.number), -$1.number) }?.number
    if number == nil {
      let free = (1...).first { n in !pods.contains { $0.number == n } }
      guard let port = ports.first(where: { p in !pods.contains { $0.port == p } }), let free else {
        return false
      }
      var pod = Pod(number: free, tier: tier, port: port)
      pod.generation = lastGeneration[free] ?? 0
      pods.append(pod)
      pods.sort { $0.number < $1.number }
      number = free
    }
    users[name] = User(
      pod: number, tier: tier, token: token, keptFrom: users[name]?.keptFrom, isArriving: users[name] != nil)
    if let index = pods.firstIndex(where: { $0.number == number }) { pods[index].served.insert(name) }
    return true
  }
}

@Suite struct ModelTests {
  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func `thousands of random operations do what the naive model does`(seed: UInt64) throws {
    let scratch = try Scratch()
    let store = try scratch.open()
    // Durability is not what is tested here, and 2,000 fsyncs take their time.
    try store.queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = OFF") }
    let limits = ["free": 3, "pro": 2, "solo": 1]
    let ports = 10001...10014
    var random = SeededGenerator(seed)
    var naive = Naive()
    var before = naive
    var last: (done: Provisioned, before: Naive)?
    var epochs: [UserName: Int64] = [:]

    for step in 1...600 {
      let now = WallTime(sinceEpoch: Microseconds(UInt64(step)))
      before = naive
      let name: UserName = "user\(Int.random(in: 1...40, using: &random))"
      let tier = limits.keys.sorted().randomElement(using: &random) ?? "free"
      let number = Int.random(in: 1...16, using: &random)
      let index = naive.pods.firstIndex { $0.number == number }
      switch Int.random(in: 0..<20, using: &random) {
      case 0..<9:
        let limit = limits[tier] ?? 1
        let token = "t\(step)"
        if naive.users[name]?.isPurging == true {
          #expect(throws: StoreError.self) {
            try store.place(name, tier: tier, usersPerPod: limit, ports: ports)
          }
          continue
        }
        if naive.provision(name, tier, limit, ports, token) {
          let done = try store.provision(
            user: name, tier: tier, usersPerPod: limit, portRange: ports, token: token, wantRunning: false,
            now: now)
          #expect(done.createdUser == (before.users[name]?.pod == nil))
          #expect(done.createdPod == (before.pods.count != naive.pods.count))
          if done.createdUser { last = (done, before) }
        } else {
          naive = before
          #expect(throws: StoreError.portRangeExhausted(first: 10001, last: 10014)) {
            try store.place(name, tier: tier, usersPerPod: limit, ports: ports)
          }
        }
      case 9..<11:
        guard let undo = last else { continue }
        last = nil
        let name = undo.done.user.name
        guard let user = naive.users[name], user.token == undo.done.user.token else {
          #expect(throws: StoreError.self) { try store.undoProvision(undo.done) }
          continue
        }
        let former = undo.before.users[name]
        naive.users[name] = Naive.User(
          tier: former?.tier ?? user.tier, keptFrom: user.keptFrom ?? user.pod, isPurging: former == nil)
        naive.left(user.pod, name, purged: former == nil)
        #expect(try store.undoProvision(undo.done)?.isPurging == (former == nil))
      case 11..<14:
        let purge = Int.random(in: 0..<3, using: &random) == 0
        guard let user = naive.users[name] else {
          #expect(throws: StoreError.noSuchUser(name)) {
            try store.deprovision(user: name, purge: purge, now: now)
          }
          continue
        }
        naive.users[name] = Naive.User(
          tier: user.tier, keptFrom: user.keptFrom ?? user.pod, isPurging: user.isPurging || purge)
        if user.pod != nil { naive.left(user.pod, name, purged: purge) }
        if purge {
          for index in naive.pods.indices where naive.pods[index].lastUser == name {
            naive.pods[index].cleaning = .remove
          }
        }
        #expect(try store.deprovision(user: name, purge: purge, now: now).pod?.name.number == user.pod)
      case 14:
        for user in try store.unsettled() where Bool.random(using: &random) {
          if user.isPurging {
            naive.users[user.name] = nil
            try store.forget(user: user.name)
          } else if user.isArriving {
            naive.users[user.name]?.keptFrom = nil
            naive.users[user.name]?.isArriving = false
            try store.dataArrived(user: user.name)
          } else {
            naive.users[user.name]?.keptFrom = nil
            try store.dataPutAside(user: user.name)
          }
        }
        for pod in try store.podsDueForCleaning() where Bool.random(using: &random) {
          let index = try #require(naive.pods.firstIndex { $0.number == pod.name.number })
          let number = pod.name.number
          let remove = Bool.random(using: &random)
          if naive.users.values.contains(where: { $0.keptFrom == number }) {
            #expect(throws: StoreError.self) { try store.podCleaned(pod.name, remove: remove) }
            continue
          }
          let isGone = remove && naive.pods[index].open.isEmpty
          #expect(try store.podCleaned(pod.name, remove: remove) == isGone)
          if isGone {
            naive.pods.remove(at: index)
          } else {
            naive.pods[index].served = []
            naive.pods[index].cleaning = nil
            naive.pods[index].lastUser = nil
          }
        }
      case 15:
        guard let index else { continue }
        let wanted = PodRecord.Wanted.allCases.randomElement(using: &random) ?? .cold
        naive.pods[index].wanted = wanted
        try store.setWanted(wanted, pod: pod(number))
      case 16:
        guard let index else { continue }
        naive.pods[index].held.toggle()
        try store.setCrashLoopHold(naive.pods[index].held, pod: pod(number))
      case 17:
        guard let index else { continue }
        naive.pods[index].generation += 1
        let generation = naive.pods[index].generation
        naive.pods[index].open.insert(generation)
        naive.lastGeneration[number] = generation
        #expect(try store.beginGeneration(pod: pod(number), now: now) == generation)
      case 18:
        guard let index else { continue }
        for generation in naive.pods[index].open {
          #expect(
            try store.endGeneration(
              UnitName(pod: pod(number), generation: generation), reason: .idle, now: now))
        }
        naive.pods[index].open = []
      default:
        _ = try store.counts()
      }

      #expect(try store.verifyInvariants(usersPerPod: limits).isEmpty, "step \(step)")
      let users = try store.allUsers()
      let found = Dictionary(
        uniqueKeysWithValues: users.map {
          (
            $0.name,
            Naive.User(
              pod: $0.pod?.number, tier: $0.tier, token: $0.token, keptFrom: $0.keptFrom?.number,
              isArriving: $0.isArriving, isPurging: $0.isPurging)
          )
        })
      try #require(found == naive.users, "step \(step)")
      let open = try store.openGenerations()
      let records = try store.pods()
      for (record, pod) in zip(records, naive.pods) {
        let served =
          pod.served.count > 1 ? .several : pod.served.first.map { PodRecord.Served.only($0) } ?? .nobody
        try #require(record.served == served, "step \(step)")
      }
      let pods = records.map { pod in
        Naive.Pod(
          number: pod.name.number, tier: pod.tier, port: pod.port, wanted: pod.wanted,
          held: pod.crashLoopHold,
          generation: pod.generation,
          open: Set(open.filter { $0.unit.pod == pod.name }.map(\.unit.generation)),
          served: naive.pods.first { $0.number == pod.name.number }?.served ?? [],
          cleaning: pod.cleaning?.kind, lastUser: pod.cleaning?.user)
      }
      try #require(pods == naive.pods, "step \(step)")
      for user in users where user.status == .active {
        if before.users[user.name]?.token != user.token {
          #expect(user.epoch > epochs[user.name] ?? 0, "step \(step)")
        }
        epochs[user.name] = max(user.epoch, epochs[user.name] ?? 0)
      }
    }
  }
}
