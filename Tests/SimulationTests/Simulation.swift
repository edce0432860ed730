import PodModel
import PodStore

/// What went wrong in a world, and where.
struct Violation: Error, CustomStringConvertible {
  var seed: UInt64
  var step: Int
  var what: String

  var description: String { "seed \(seed), step \(step): \(what)" }
}

/// One seeded world: PID 1, processes, users, a disk, and a podd that may die between any two effects. The
/// decisions are podd's own (`Lifecycle`, `Reconcile`, `PlacementStore`); what is simulated is its hands.
final class Simulation {
  static let usersPerPod = ["free": 3, "solo": 1]

  let seed: UInt64
  let store: PlacementStore
  var random: SeededGenerator
  var world = World()
  var podd: SimulatedPodd?
  var step = 0
  /// Everything goes well from here on: the world comes to rest.
  var isCalm = false
  /// Nothing can be written.
  var isDiskFull = false
  /// Programs of these pods do not live long.
  var brokenPods: Set<PodName> = []
  /// What a client was told: this user is placed there.
  var confirmed: [String: PodName] = [:]
  /// Rows without an end, as the store was told.
  var openRows: Set<UnitName> = []
  /// Ends that the full disk swallowed: the next reconciling records them.
  var lostEnds: Set<UnitName> = []
  /// Pods whose wishes it swallowed.
  var lostWishes: Set<PodName> = []
  private(set) var trace: [String] = []
  private let isTracing: Bool

  init(seed: UInt64, store: PlacementStore, isTracing: Bool) throws {
    self.seed = seed
    self.store = store
    self.isTracing = isTracing
    random = SeededGenerator(state: seed)
  }

  func note(_ text: @autoclosure () -> String) {
    guard isTracing else { return }
    let plain = ["PodModel.", "Lifecycle.", "Effect.", "AfterStop.", "Wanted."].reduce(text()) {
      $0.replacing($1, with: "")
    }
    trace.append("\(step)\t\(Double(world.now / 1000) / 1000) s\t\(plain)")
  }

  func check(_ holds: Bool, _ what: @autoclosure () -> String) throws {
    if !holds { throw Violation(seed: seed, step: step, what: what()) }
  }

  func run(steps: Int) throws {
    podd = try SimulatedPodd(self)
    while step < steps {
      step += 1
      try advance()
      try checkInvariants()
      if step % 60 == 0 { try checkStore() }
    }
    try comeToRest()
    try checkRest()
    try restartChangesNothing()
  }

  // MARK: One step

  private func advance() throws {
    world.now += passedTime()
    switch random.below(100) {
    case ..<62:
      if let podd { _ = try podd.step() } else { try startPodd() }
    case ..<78: processDoesSomething()
    case ..<92: try somebodyWantsSomething()
    case ..<97: environmentChanges()
    default: crash()
    }
  }

  private func passedTime() -> UInt64 {
    switch random.below(100) {
    case ..<75: UInt64(1 + random.below(20_000))
    case ..<97: UInt64(random.below(2_000_000))
    default: UInt64(random.below(120_000_000))
    }
  }

  private func startPodd() throws {
    guard random.chance(50) else { return }
    podd = try SimulatedPodd(self)
  }

  private func somebodyWantsSomething() throws {
    guard let podd, podd.isServing else { return }
    let user = "user\(random.below(9))"
    let pod = random.pick(podd.pods.keys.sorted())
    switch random.below(100) {
    case ..<45: podd.provision(user, tier: random.chance(75) ? "free" : "solo", cold: random.chance(20))
    case ..<55: podd.deprovision(user)
    case ..<67: if let pod { try podd.start(pod) }
    case ..<77: if let pod { try podd.stop(pod) }
    case ..<88: if let pod { try podd.restart(pod) }
    default: if let pod { try podd.reset(pod) }
    }
  }

  private func environmentChanges() {
    switch random.below(10) {
    case ..<5:
      if let pod = random.pick(podd?.pods.keys.sorted() ?? []) {
        if brokenPods.remove(pod) == nil { brokenPods.insert(pod) }
        note("\(pod)'s program is \(brokenPods.contains(pod) ? "broken" : "mended")")
      }
    case ..<7:
      isDiskFull.toggle()
      note("the disk \(isDiskFull ? "is full" : "has room")")
    case ..<9:
      crash()
    default:
      note("reboot")
      podd = nil
      world.reboot()
    }
  }

  /// podd is gone with its memory and what it still held; whatever runs in a scope runs on.
  func crash() {
    guard podd != nil else { return }
    note("podd dies")
    podd = nil
    for pid in world.pids(where: { $0.unit == nil }) { world.end(pid, .signal("KILL")) }
  }

  // MARK: Programs

  private func processDoesSomething() {
    // pod-launch sees that podd is gone.
    for pid in world.pids(where: { !$0.isReleased && $0.unit != nil }) where podd == nil {
      world.end(pid, .exited(254))
    }
    guard let pid = random.pick(world.pids { $0.isReleased }), let process = world.processes[pid],
      let unit = process.unit
    else { return }
    if !process.isMain {
      world.end(pid, .exited(0))
      return
    }
    let isBroken = brokenPods.contains(unit.pod)
    switch random.below(isBroken ? 60 : 160) {
    case ..<12: finish(pid, unit, .exited(Int32(random.below(3))))
    case ..<20: finish(pid, unit, .signal(random.chance(50) ? "SEGV" : "KILL"))
    case ..<28:
      let own = random.chance(50)
      note("\(unit) is killed for want of memory (\(own ? "its own limit" : "the host's"))")
      finish(pid, unit, .signal("KILL"), oomKills: 1, ownLimit: own ? 1 : 0)
    case ..<40 where world.members(unit).count < 4:
      _ = world.spawn(into: unit, isMain: false)
    case ..<60 where isBroken: break
    default:
      if !process.isReady { note("\(unit) says that it is ready") }
      world.becomeReady(pid)
    }
  }

  private func finish(
    _ pid: Int32, _ unit: UnitName, _ exit: EndEvidence.Exit, oomKills: UInt64 = 0, ownLimit: UInt64 = 0
  ) {
    note("main process of \(unit) ends: \(exit)")
    world.end(pid, exit, oomKills: oomKills, ownLimit: ownLimit)
    if !world.isPopulated(unit), random.chance(20) { world.failedUnits.insert(unit) }
  }

  // MARK: Rest

  /// No more faults and no more wishes: whatever is under way comes to its end in bounded time.
  func comeToRest() throws {
    note("calm")
    isCalm = true
    isDiskFull = false
    brokenPods = []
    if podd == nil { podd = try SimulatedPodd(self) }
    for _ in 0..<3_000 {
      step += 1
      for pid in world.pids(where: { $0.isReleased && $0.isMain }) { world.becomeReady(pid) }
      guard let podd else { break }
      if try !podd.step() {
        guard let next = podd.nextTimer else { return }
        world.now = max(world.now, next)
      }
      try checkInvariants()
    }
    try check(false, "does not come to rest")
  }
}
