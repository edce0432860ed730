import PodModel
import PodStore
import Seeded
import Time

/// What went wrong in a world, and where.
struct Violation: Error, CustomStringConvertible {
  var seed: UInt64
  var step: Int
  var what: String

  var description: String { "seed \(seed), step \(step): \(what)" }
}

/// One seeded world: PID 1, processes, users, a disk, and a podd that may die between any two effects. The
/// decisions are podd's own (`PodMachine`, `Reconcile`, `PlacementStore`); what performs them is simulated.
final class Simulation {
  static let usersPerPod = ["free": 3, "solo": 1]

  let seed: UInt64
  let store: PlacementStore
  private(set) var policy = Lifecycle.Policy()
  let idlePolicy: IdlePolicy
  var random: SeededGenerator
  let odds: Odds
  var world = World()
  var podd: Performer?
  var step = 0
  /// Everything goes well from here on: the world comes to rest.
  var isCalm = false
  /// Nothing can be written.
  var isDiskFull = false
  /// How each pod's program listens, as its workload file says now.
  private var handovers: [PodName: Lifecycle.Handover] = [:]
  /// Programs of these pods do not live long.
  var brokenPods: Set<PodName> = []
  /// What a client was told: this user is placed there.
  var confirmed: [UserName: PodName] = [:]
  /// Rows without an end, as the store was told.
  var openRows: Set<UnitName> = []
  /// Ends that the full disk swallowed: the next reconciling records them.
  var lostEnds: Set<UnitName> = []
  /// Generations that podd stopped, with the reason that it had time to write down before it died.
  var promisedStops: [UnitName: EndReason] = [:]
  /// Generations whose readiness is on the disk, or could not be written.
  var readyUnits: Set<UnitName> = []
  /// Pods whose wishes it swallowed.
  var lostWishes: Set<PodName> = []
  private(set) var trace: [String] = []
  private let isTracing: Bool

  init(seed: UInt64, store: PlacementStore, isTracing: Bool) throws {
    self.seed = seed
    self.store = store
    self.isTracing = isTracing
    random = SeededGenerator(seed)
    odds = Odds(&random)
    idlePolicy = odds.idle
    // With RestartSec=0 a pod is launched again in the same turn of podd's loop.
    if seed % 5 == 0 { policy.firstDelay = .zero }
  }

  func note(_ text: @autoclosure () -> String) {
    guard isTracing else { return }
    let plain = [
      "PodModel.", "PodMachine.", "GenerationLife.", "Lifecycle.", "Effect.", "Event.", "AfterStop.",
      "Wanted.",
    ].reduce(text()) {
      $0.replacing($1, with: "")
    }
    trace.append("\(step)\t\(Double(world.now.sinceBoot / .milliseconds(1)) / 1000) s\t\(plain)")
  }

  func check(_ holds: Bool, _ what: @autoclosure () -> String) throws {
    if !holds { throw Violation(seed: seed, step: step, what: what()) }
  }

  func run(steps: Int) throws {
    podd = try Performer(self)
    while step < steps {
      step += 1
      try advance()
      try checkInvariants()
      if step % 250 == 0 { try checkStore() }
    }
    try comeToRest()
    try checkRest()
    try restartChangesNothing()
  }

  // MARK: One step

  private func advance() throws {
    world.now += passedTime()
    world.passTime()
    switch random.below(100) {
    case ..<58:
      guard podd != nil else { return try startPodd() }
      // podd is faster than programs and people: a launch takes it a dozen steps.
      for _ in 0...random.below(4) { _ = try podd?.step() }
    case ..<72: for _ in 0...random.below(4) { processDoesSomething() }
    case ..<82: for _ in 0...random.below(6) { try requestComesOrGoes() }
    case ..<92: somebodyWantsSomething()
    case ..<97: environmentChanges()
    default: if random.below(10) < odds.deaths { crash() }
    }
  }

  private func passedTime() -> Microseconds {
    switch random.below(100) {
    case ..<75: Microseconds(UInt64(1 + random.below(20_000)))
    case ..<(100 - odds.longPauses): Microseconds(UInt64(random.below(2_000_000)))
    default: Microseconds(UInt64(random.below(120_000_000)))
    }
  }

  private func startPodd() throws {
    guard random.chance(50) else { return }
    podd = try Performer(self)
  }

  private func somebodyWantsSomething() {
    guard let podd, podd.isServing,
      let user = UserName(stored: "user\(random.below(odds.users))")
    else { return }
    // In every third world rather one that has two generations: few calls would meet it by chance.
    let inHandover = seed % 3 == 0 && random.chance(50) ? random.pick(podsInHandover) : nil
    let pod = inHandover ?? random.pick(podd.pods.keys.sorted())
    if random.chance(odds.restarts) {
      if let pod { podd.restart(pod) }
      return
    }
    switch random.below(97) {
    case ..<45: podd.provision(user, tier: random.chance(75) ? "free" : "solo", cold: random.chance(20))
    case ..<55: podd.deprovision(user)
    case ..<67: if let pod { podd.start(pod) }
    case ..<77: if let pod { podd.stop(pod) }
    case ..<80: if let pod { podd.freeze(pod) }
    case ..<86: if let pod { podd.reset(pod) }
    case ..<92: podd.suspend(user)
    default: podd.resume(user)
    }
  }

  private func environmentChanges() {
    // Rather one that has two generations.
    let pod = random.pick(podsInHandover) ?? random.pick(podd?.pods.keys.sorted() ?? [])
    switch random.below(16) {
    case ..<4:
      if let pod {
        handovers[pod] = random.pick(Lifecycle.Handover.allCases)
        note("\(pod)'s workload file is changed: \(handover(of: pod))")
        // That is what an operator does next.
        if random.chance(50), let podd, podd.isServing { podd.restart(pod) }
      }
    case ..<5:
      let nearby = world.populated.filter { $0.pod == pod }
      if let unit = random.pick(nearby.isEmpty || random.chance(50) ? world.populated : nearby) {
        if world.frozenUnits.remove(unit) == nil { world.frozenUnits.insert(unit) }
        note("\(unit) is \(world.frozenUnits.contains(unit) ? "frozen" : "thawed") from outside")
      }
    case ..<7:
      let pids = world.pids { $0.isMain && $0.isReady }
      let nearby = pids.filter { world.processes[$0]?.unit?.pod == pod }
      if let pid = random.pick(nearby.isEmpty || random.chance(50) ? pids : nearby) {
        note("\(pid) hangs")
        world.hang(pid)
      }
    case ..<11:
      if let pod {
        if brokenPods.remove(pod) == nil, random.chance(50) { brokenPods.insert(pod) }
        note("\(pod)'s program is \(brokenPods.contains(pod) ? "broken" : "fixed")")
      }
    case ..<13:
      isDiskFull = odds.diskFills && !isDiskFull
      note("the disk \(isDiskFull ? "is full" : "has room")")
    case ..<15:
      if odds.deaths > 0 { crash() }
    default:
      note("reboot")
      keepPromises()
      podd = nil
      world.reboot()
    }
  }

  /// Pods that have two generations, where most can go wrong.
  private var podsInHandover: [PodName] {
    podd?.pods.values.filter { $0.machine.other != nil }.map(\.name).sorted() ?? []
  }

  /// podd is gone with its memory and what it still held; whatever runs in a scope runs on.
  func crash() {
    guard podd != nil else { return }
    note("podd dies")
    keepPromises()
    podd = nil
    for pid in world.pids(where: { $0.unit == nil }) { world.end(pid, .signal("KILL")) }
  }

  /// The three kinds are there from the beginning, in most worlds.
  func handover(of pod: PodName) -> Lifecycle.Handover {
    let first = odds.allOverlap ? 0 : pod.number % Lifecycle.Handover.allCases.count
    return handovers[pod] ?? Lifecycle.Handover.allCases[first]
  }

  /// How the pod's program is notified of its users: half of them by a signal.
  func reload(of pod: PodName) -> GenerationLife.Traits.Reload {
    switch (pod.number + Int(seed % 4)) % 4 {
    case 0: .command
    case 1: .restart
    default: .signal
    }
  }

  func traits(of pod: PodName) -> GenerationLife.Traits {
    GenerationLife.Traits(handover: handover(of: pod), reload: reload(of: pod))
  }

  // MARK: Clients

  /// podd closes the listening socket: whoever waits there is turned away.
  func turnAway(_ pod: PodName) {
    world.doors[pod]?.isListening = false
    world.doors[pod]?.waiting = 0
  }

  private func requestComesOrGoes() throws {
    if random.chance(50), let pid = random.pick(world.pids { $0.isMain && $0.isReady }) {
      return world.serve(pid, finishing: random.chance(60))
    }
    guard let pod = random.pick(podd?.pods.keys.sorted() ?? []) else { return }
    let door = world.doors[pod] ?? World.Door()
    let isBound = world.processes.values.contains { process in
      process.unit.map { $0.pod == pod && world.handovers[$0] == .drain } ?? false && process.isReady
    }
    if door.isListening || door.heldUntil != nil || door.isAsleep || isBound {
      world.knock(pod)
    } else if let podd, podd.isServing, podd.pods[pod].map(podd.sleepsForSomebody) ?? false {
      try check(false, "somebody is refused by \(pod), which only sleeps")
    } else if let until = podd?.pods[pod]?.heldUntil, until > world.now {
      try check(false, "somebody is refused by \(pod), which is only being replaced")
    }
  }

  // MARK: Programs

  private func processDoesSomething() {
    // pod-launch sees that podd is gone.
    for pid in world.pids(where: { !$0.isReleased && $0.unit != nil }) where podd == nil {
      world.end(pid, .exited(254))
    }
    let inHandover = random.chance(25) ? random.pick(podsInHandover) : nil
    let pids = world.pids { $0.isReleased && (inHandover == nil || $0.unit?.pod == inHandover) }
    guard let pid = random.pick(pids), let process = world.processes[pid],
      let unit = process.unit, !world.frozenUnits.contains(unit)
    else { return }
    if process.isTerminating {
      if !random.chance(odds.haste) { return }
      if process.isReady { world.serve(pid, finishing: true) } else { world.obey(pid) }
      return
    }
    if process.isHung { return }
    world.handleSignal(pid)
    if !process.isMain {
      world.end(pid, .exited(0))
      return
    }
    if random.chance(odds.children), world.members(unit).count < 4 {
      _ = world.spawn(into: unit, isMain: false)
      return
    }
    let isBroken = brokenPods.contains(unit.pod)
    switch random.below(isBroken ? 60 : odds.lifetimes) {
    case ..<12: finish(pid, unit, .exited(Int32(random.below(3))))
    case ..<20: finish(pid, unit, .signal(random.chance(50) ? "SEGV" : "KILL"))
    case ..<28:
      let own = random.chance(50)
      note("\(unit) is killed for want of memory (\(own ? "its own limit" : "the host's"))")
      finish(pid, unit, .signal("KILL"), oomKills: 1, ownLimit: own ? 1 : 0)
    case ..<60 where isBroken: break
    default:
      if !process.isReady {
        note("\(unit) says that it is ready")
        let users = (try? store.users(ofPod: unit.pod)) ?? []
        world.stored[unit.pod, default: []].formUnion(users.map(\.name))
      }
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

  /// Somebody's request is in a program's hands, or at the door of one that serves.
  private func somebodyWaits(_ podd: Performer) -> Bool {
    podd.pods.values.contains { pod in
      guard pod.state == .ready, let unit = pod.machine.current?.unit else { return false }
      return world.requests(in: unit) > 0 || world.doors[pod.name].map { $0.waiting > 0 } ?? false
    }
  }

  private func letProgramsWork() {
    for pid in world.pids(where: { $0.isReleased }) {
      guard let process = world.processes[pid] else { continue }
      if process.isTerminating {
        if process.isReady { world.serve(pid, finishing: true) } else { world.obey(pid) }
      } else if process.isMain {
        world.becomeReady(pid)
        world.serve(pid, finishing: true)
      }
    }
  }

  /// No more faults and no more wishes: whatever is under way comes to its end in bounded time.
  func comeToRest() throws {
    note("calm")
    isCalm = true
    isDiskFull = false
    brokenPods = []
    if podd == nil { podd = try Performer(self) }
    for _ in 0..<3_000 {
      step += 1
      letProgramsWork()
      guard let podd else { break }
      if try !podd.step() {
        let next = [podd.nextTimer, world.nextKill].compactMap { $0 }.min()
        guard let next else {
          if try !somebodyWaits(podd) && !podd.repeatDepartures() { return }
          continue
        }
        world.now = max(world.now, next)
        world.passTime()
      }
      try checkInvariants()
    }
    try check(false, "does not come to rest")
  }
}
