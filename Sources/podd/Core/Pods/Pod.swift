import Linux
import PodModel
import PodStore
import Systemd
import Time

/// One pod while podd runs: its machine, its generations, and the callers who wait for it. ``PodMachine`` decides; this
/// performs its effects and reports back what happened.
@LoopActor
final class Pod {
  let name: PodName
  unowned let host: PodHost

  /// The row as the store gave it last; what changes with every launch has its home in `machine`.
  private(set) var record: PodRecord
  private(set) var machine: PodMachine
  private var generations: [Generation] = []
  /// When the state was entered.
  private(set) var since = Clock.wall
  private(set) var transitions: [Transition] = []

  /// Who cannot be served, and why: something is wrong with the user's directory. Pod+Users alone writes it.
  var userTroubles: [UserName: String] = [:]
  /// What a program had stored for the pod's only user, to be brought before the next launch. PodHost+Data alone writes it.
  var arrivingProgram: (user: UserName, name: String)?
  /// A reload under way.
  var reloadAnswer: BoundedWait<Void>?
  /// Why its program could not be notified of its users, the last time.
  var usersFailure: UsersFile.Failure?
  /// For another try after that.
  var usersTimer: EventSource?
  /// Callers who wait until its programs know its users; each of them asks the machine again after every step.
  var stepWaits: [BoundedWait<Void>] = []
  /// The freeze under way.
  var freezing: Task<Void, Never>?
  /// The same after it was thawed to be notified, and the clients' ports of the connections that it had before.
  var freezingAgain: Task<Void, Never>?
  var connectionsBefore: Set<UInt16> = []
  private(set) lazy var wakeOnConnect = WakeOnConnect(self)
  /// Since when it has been idle, and which generation.
  var idleness: (unit: UnitName, clock: Idleness)?
  /// The requests that front doors have reported since podd started.
  var requests = RequestCounts()
  /// What it did last because memory was short.
  var givenUp: GivenUp?
  /// The local port of podd's last probe.
  var probePort: UInt16? {
    didSet {
      guard let probePort else { return }
      let patience = workload?.probeTimeout ?? Workload.defaultTimeout
      probePorts.add(probePort, at: EventLoop.main.now(), patience: patience)
    }
  }
  private(set) var probePorts = ProbePorts()
  /// When new connections were first held off; nil while they are not.
  var heldSince: LoopTime?
  /// The provision that made it failed, when others were already placed on it. PodHost+Provision alone writes it.
  var wasMadeInVain = false

  private var queue: [(event: PodMachine.Event, time: WallTime)] = []
  private var isPerforming = false
  private var backoffTimer: EventSource?
  private var waiters: [BoundedWait<EndReason?>] = []

  init(_ record: PodRecord, host: PodHost) {
    name = record.name
    self.record = record
    self.host = host
    machine = PodMachine(
      record.name,
      lifecycle: Lifecycle(
        wanted: record.wanted, startLimitHit: record.crashLoopHold, lastEnd: record.lastExitReason,
        restarts: UInt64(max(0, record.restarts)), now: EventLoop.main.now()),
      lastGeneration: record.generation)
  }

  var lifecycle: Lifecycle { machine.lifecycle }
  var state: PodState { machine.lifecycle.state }
  /// The generation that is the pod.
  var current: Generation? { machine.current.flatMap { generation($0.id) } }
  /// Its successor or predecessor.
  var other: Generation? { machine.other.flatMap { generation($0.id) } }
  var scope: RunningScope? { current?.scope }
  var workload: Workload? { current?.workload }

  /// What the store says now: the number of users changes with every provision.
  func update(_ record: PodRecord) { self.record = record }

  /// The store took back that somebody wanted the pod, because it could not serve them.
  func wishTakenBack(_ record: PodRecord) {
    update(record)
    if record.wanted == .cold { handle(.wishTakenBack) }
  }

  // MARK: Events

  /// An event of the pod itself.
  func handle(_ event: Lifecycle.Event) { handle(.pod(event)) }

  /// Performs everything that the event leads to. An event that comes in the middle of that waits for its end.
  ///
  /// - Parameter time: When it happened.
  func handle(_ event: PodMachine.Event, at time: WallTime = Clock.wall) {
    queue.append((event, time))
    performQueue()
  }

  private func performQueue() {
    guard !isPerforming else { return }
    isPerforming = true
    defer { isPerforming = false }
    while !queue.isEmpty {
      let next = queue.removeFirst()
      perform(
        machine.handle(
          next.event, now: EventLoop.main.now(), random: Double.random(in: 0..<1), policy: host.restartPolicy),
        at: next.time)
    }
    let waiting = stepWaits
    stepWaits = []
    for wait in waiting { wait.finish(()) }
  }

  /// One list of effects, first to last.
  private func perform(_ effects: [PodMachine.Effect], at time: WallTime) {
    var following: [(event: PodMachine.Event, time: WallTime)] = []
    for effect in effects {
      if case .then(let event) = effect {
        following.append((event, time))
      } else {
        perform(effect, at: time)
      }
    }
    queue = following + queue
  }

  private func perform(_ effect: PodMachine.Effect, at time: WallTime) {
    switch effect {
    case .generation(let id, let effect): perform(effect, of: id)
    case .moved(let move):
      if move.isNewState { since = time }
      if move.isNewState && state == .ready { noteServing() }
      if move.isNewState { host.idle.watch(self) }
      transitions = transitions.suffix(Transition.kept - 1) + [Transition(at: Clock.wall, move: move)]
    case .armBackoff(let pause): armBackoff(pause)
    case .cancelTimers:
      backoffTimer = nil
      for generation in generations { generation.startTimer = nil }
    case .release: loopTask { await self.releaseConnections() }
    case .persist(let wanted): persist(wanted)
    case .recordStartLimitHit(let isHit): recordStartLimitHit(isHit)
    case .resolveReady: resolve(nil)
    case .resolveFailed(let reason): resolve(reason)
    case .announce: host.announce(self)
    case .writeUsers(let revision): loopTask { await self.writeUsers(revision) }
    case .usersFailed(let failure, let pause): usersFailed(failure, retryAfter: pause)
    case .recordUsers: DeliveredUsers(of: name).record()
    case .thawForUsers: thawForUsers()
    case .freezeAgain: freezeAgain()
    case .then: break
    }
  }

  private func perform(_ effect: GenerationLife.Effect, of id: GenerationLife.ID) {
    switch effect {
    case .awaitStrayScopes: generations.append(Generation(id, of: self))
    // It may be of a generation that has ended while it waited for its turn.
    case .endTurn: return host.launchSlots.release()
    case .dispose: return generations.removeAll { $0.id == id }
    default: break
    }
    generation(id)?.perform(effect)
  }

  private func generation(_ id: GenerationLife.ID) -> Generation? { generations.first { $0.id == id } }

  private func armBackoff(_ pause: Microseconds) {
    do throws(Errno) {
      backoffTimer = try EventSource.timer(EventLoop.main, after: pause) { [weak self] in
        LoopActor.assumeIsolated { self?.handle(.backoffElapsed) }
      }
    } catch {
      Log.error("\(name): \(error)")
    }
  }

  private func persist(_ wanted: Lifecycle.Wanted) {
    let (name, createdAt) = (name, record.createdAt)
    host.write("what is wanted of \(name)") { store throws(StoreError) in
      try store.setWanted(wanted, pod: name, createdAt: createdAt)
    }
  }

  private func recordStartLimitHit(_ isHit: Bool) {
    let (name, createdAt) = (name, record.createdAt)
    if isHit {
      host.report(.startLimitHit(subject, reason: lifecycle.lastEnd.words))
    }
    host.write("the start limit of \(name)") { store throws(StoreError) in
      try store.setCrashLoopHold(isHit, pod: name, createdAt: createdAt)
    }
  }

  // MARK: Adoption

  /// A scope found running: podd was restarted. Returns false when the machine has no place for it.
  func adopt(
    _ scope: RunningScope, _ begun: GenerationRecord, as position: Lifecycle.Position, tier: Tier?,
    source: WorkloadSource?
  ) -> Bool {
    let isReady = begun.readyAt != nil
    let found = PodMachine.Found(
      unit: scope.unit, isReady: isReady,
      stop: begun.stopCause.map { GenerationLife.StopRecord(cause: $0, isAsked: begun.stopAsked) },
      traits: source.map { Generation.traits(of: $0.workload, tier) })
    guard let adopted = machine.adopt(found, as: position, now: EventLoop.main.now()) else { return false }
    let generation = Generation(adopted.id, of: self)
    generations.append(generation)
    generation.adopt(scope, begun, tier: tier, source: source)
    if position == .current {
      host.firewall.note(name, uid: record.uid, words: source?.workload.ipAddressAllow ?? [])
      since = begun.readyAt ?? Clock.wall
    }
    isPerforming = true
    perform(adopted.effects, at: since)
    isPerforming = false
    performQueue()
    if begun.mainPID != scope.pid { generation.recordStart() }
    noteServing()
    host.idle.watch(self)
    return true
  }

  /// The generation on record ended while podd was away.
  func endedUnseen(_ reason: EndReason) { machine.endedUnseen(reason) }

  // MARK: Notifications

  /// A process of the pod said READY=1 on the notify socket.
  func notifiedReady(_ pid: Int32) { speaker(pid)?.notifiedReady(pid) }

  /// With two generations, the cgroup of the process tells whose it is.
  private func speaker(_ pid: Int32) -> Generation? {
    let both = [current, other].compactMap { $0 }
    guard both.count > 1 else { return both.first }
    if let exact = both.first(where: { $0.scope?.pid == pid || $0.parked?.pid == pid }) { return exact }
    guard let unit = ProcessIdentity.cgroup(of: pid).flatMap(ControlGroup.unit(atPath:)) else {
      return both.last
    }
    return both.first { $0.unit == unit } ?? both.last
  }

  // MARK: Waiting

  /// Longer than any of its states lasts when the host is well: a start with its turn, a drain, and a stop with SIGKILL
  /// at its end.
  var patience: Microseconds {
    let stop = workload?.timeoutStop ?? Workload.defaultTimeout
    let start = workload?.timeoutStart ?? Workload.defaultTimeout
    return .minutes(15) + start + (workload?.timeoutDrain ?? Workload.defaultTimeoutDrain) + stop + stop
  }

  /// What the pod's next resolution is; `.startTimeout` when none came in time, because something on the host hangs.
  private func resolution() async -> EndReason? {
    let wait = BoundedWait<EndReason?>()
    waiters.append(wait)
    defer { waiters.removeAll { $0 === wait } }
    guard let resolved = await wait.report(within: patience) else { return .startTimeout }
    return resolved
  }

  /// Nil once the pod serves; else why it does not.
  func waitUntilReady() async -> EndReason? {
    switch state {
    case .ready: return nil
    case .starting, .stopping, .draining, .frozen: return await resolution()
    case .cold, .backoff, .crashLoop, .stopped: return lifecycle.lastEnd ?? .operator
    }
  }

  /// The same for a generation that is yet to take over.
  func waitUntilReplaced() async -> EndReason? {
    guard state == .ready && lifecycle.isBeingReplaced else { return await waitUntilReady() }
    return await resolution()
  }

  /// Returns when no process of the pod is left, or when that takes longer than any stop should.
  func waitUntilGone() async {
    let deadline = EventLoop.main.now() + patience
    while isLeaving, EventLoop.main.now() < deadline {
      _ = await resolution()
    }
  }

  /// Whether processes of the pod are left that were asked to end.
  var isLeaving: Bool { state == .stopping || state == .draining }

  /// What the reason alone does not say of a failed launch, as a clause: which program has its port.
  func cause(of reason: EndReason) async -> String? {
    guard case .launchFailed(.socket, "EADDRINUSE") = reason else { return nil }
    let holder = await PortHolder.find(port: record.port)
    return "port \(record.port) is in use" + (holder.map { " by \($0)" } ?? "")
  }

  private func resolve(_ reason: EndReason?) {
    let waiting = waiters
    waiters = []
    for wait in waiting { wait.finish(reason) }
  }

  /// It stays frozen: callers do not wait for it any longer, and the next connection may try again.
  func thawFailed() {
    resolve(lifecycle.lastEnd ?? .operator)
    wakeOnConnect.wakeFailed()
    handle(.thawFailed)
  }

  // MARK: Figures

  /// The scope's memory, at most `maxAge` old: memory.stat costs the kernel a walk over all CPUs, so it is
  /// not read for every question.
  func memory(maxAge: Microseconds) -> MemorySample? {
    if let sample = current?.sample, scope != nil, sample.at + maxAge > EventLoop.main.now() {
      return sample
    }
    return host.memory.sample(self)
  }
}

/// One change in a pod's life, for `explain`. Every pod keeps some: they are small.
struct Transition {
  /// How many a pod keeps.
  static let kept = 16

  let at: WallTime
  let move: PodMachine.Move
}
