public import Time

/// One pod: its ``Lifecycle`` and its generations. Pure; podd performs the effects with systemd, the simulation with a
/// world of its own.
///
/// Every rule about a pod is here or in the two types that it joins: when a generation may begin, what is stopped to
/// make room for it, why a generation was stopped or ended, and what a new podd makes of what it finds.
public struct PodMachine: Sendable, Equatable {
  public typealias ID = GenerationLife.ID

  /// What happened to the pod, or is wanted of it.
  public enum Event: Sendable, Equatable {
    /// An event of the pod itself: `start`, `stop`, `restart`, `backoffElapsed`, `reset`, `freeze`. Events that name a
    /// generation come as `generation`.
    case pod(Lifecycle.Event)
    /// Stop it. If its program binds by itself, wait for its open connections first: it may be in the middle of a write.
    case stopGracefully(EndReason, then: Lifecycle.AfterStop)
    /// Replace the running generation. `next`: the handover that the current settings allow the next generation; nil:
    /// they do not parse.
    case replace(EndReason, next: Lifecycle.Handover?)
    /// The result of a generation's effect, or something that happened to a generation.
    case generation(ID, GenerationLife.Event)
    /// After everything that runs was adopted: go on with what an earlier podd was stopping.
    case resume
    /// The store took back that somebody wanted the pod, because it could not serve them.
    case wishTakenBack
    /// The store has other users of the pod, and a caller waits until `delivery` says that they are known.
    case usersChanged(Reach)
    /// Answers `writeUsers`. `next`: as in `replace`.
    case usersWritten(Int, next: Lifecycle.Handover?)
    /// Answers `writeUsers`.
    case usersNotWritten(Int)
    /// The pause after `usersFailed` is over.
    case retryUsers
    /// After an adoption: whether it is on record that the programs know the users of this revision.
    case usersChecked(Int, isKnown: Bool)
    /// A thaw has come to nothing.
    case thawFailed
    /// Its row is gone: it is not launched again, and nothing more is announced about it. Another pod may soon have its
    /// name.
    case forget
  }

  /// What a caller has to do. A list is performed from its first to its last.
  public enum Effect: Sendable, Equatable {
    /// An effect of one generation. The first one for a new generation is `awaitStrayScopes`, the last is `dispose`.
    case generation(ID, GenerationLife.Effect)
    /// The pod has moved to another state, or its other generation has another role.
    case moved(Move)
    /// Report `backoffElapsed` after this pause.
    case armBackoff(Microseconds)
    /// Cancel the timers of the backoff and of all starts.
    case cancelTimers
    /// Release the held connections.
    case release
    /// Write down what is wanted of the pod.
    case persist(Lifecycle.Wanted)
    /// Write down whether launches have stopped after a crash loop, and log it.
    case recordStartLimitHit(Bool)
    /// Answer those who wait for this pod: it serves.
    case resolveReady
    /// Answer those who wait for this pod: it does not serve, and why.
    case resolveFailed(EndReason)
    /// Announce the new state.
    case announce
    /// Write the users file as the store has the users now. Before that, remove the record of `recordUsers` if these are
    /// others.
    case writeUsers(Int)
    /// Answer those who wait with an error; report `retryUsers` after the pause.
    case usersFailed(UserFailure, retryAfter: Microseconds?)
    /// Put on record, for a new podd, that every program knows the users that the users file has.
    case recordUsers
    /// Thaw it, so that its program is notified.
    case thawForUsers
    /// It has been notified: freeze it, unless somebody uses it by now.
    case freezeAgain
    /// Report this event when the list is done, before any other one.
    case then(Event)
  }

  /// A state, and what the other generation is there for.
  public struct Place: Sendable, Equatable {
    public var state: PodState
    public var other: Lifecycle.Other.Kind?

    init(_ lifecycle: Lifecycle) {
      state = lifecycle.state
      other = lifecycle.other?.kind
    }

    /// The name in docs/lifecycle.md.
    public var name: String { other.map { "\(state.rawValue), \($0.rawValue)" } ?? state.rawValue }
  }

  /// A step from one place to another.
  public struct Move: Sendable, Equatable {
    public var from: Place
    public var to: Place
    public var event: Lifecycle.Event
    /// Whether the state is another one, or another generation is in it.
    public var isNewState: Bool
  }

  public let pod: PodName
  public internal(set) var lifecycle: Lifecycle
  /// The generation that is the pod.
  public internal(set) var current: GenerationLife?
  /// Its successor or predecessor.
  public internal(set) var other: GenerationLife?
  /// The latest launch that is on record, 0 before the first.
  public private(set) var lastGeneration: Int

  /// ``Lifecycle/restarts``, as far as they are on record.
  private var restartsOnRecord: UInt64
  /// How far its programs know its users (PodMachine+Users).
  public internal(set) var users = UserDelivery()
  var isForgotten = false
  private var lastID = 0

  /// A pod as it is on record, without a generation.
  public init(_ pod: PodName, lifecycle: Lifecycle, lastGeneration: Int) {
    self.pod = pod
    self.lifecycle = lifecycle
    self.lastGeneration = lastGeneration
    restartsOnRecord = lifecycle.restarts
  }

  /// Generations that were written down and whose end was not.
  public var openUnits: [UnitName] { generations.compactMap(\.unit) }

  /// The current one first.
  public var generations: [GenerationLife] { [current, other].compactMap { $0 } }

  /// Which of the two it is by now; nil: it has ended.
  public func position(of id: ID) -> Lifecycle.Position? {
    if current?.id == id { .current } else if other?.id == id { .other } else { nil }
  }

  /// Either of the two.
  public internal(set) subscript(_ position: Lifecycle.Position) -> GenerationLife? {
    get { position == .current ? current : other }
    set { if position == .current { current = newValue } else { other = newValue } }
  }

  /// How the current generation gives way to one whose settings allow `next`.
  public func handover(next: Lifecycle.Handover?) -> Lifecycle.Handover {
    switch current?.traits?.handover {
    case .drain: .drain
    case .overlap where next == .overlap: .overlap
    default: .queue
    }
  }

  /// One step; at most one of the lifecycle.
  ///
  /// - Parameter random: 0..<1, for the next pause.
  public mutating func handle(
    _ event: Event, now: LoopTime, random: Double, policy: Lifecycle.Policy
  ) -> [Effect] {
    let effects = take(event, Moment(now: now, random: random, policy: policy))
    return effects + deliverUsers()
  }

  private mutating func take(_ event: Event, _ moment: Moment) -> [Effect] {
    switch event {
    case .pod(let event):
      // Somebody wants it otherwise.
      users.freezesAgain = false
      if event == .start { users.reachesFrozen = false }
    case .stopGracefully, .replace: users.freezesAgain = false
    default: break
    }
    switch event {
    case .pod(let event): return isForgotten && event.mayLaunch ? [] : step(event, moment)
    case .stopGracefully(let cause, let next): return step(.stop(cause, then: next, drains: drains), moment)
    case .replace(let cause, let next):
      return isForgotten ? [] : step(.restart(cause, handover(next: next)), moment)
    case .generation(let id, let event): return handle(event, of: id, moment)
    case .resume: return resumeStop(moment)
    case .wishTakenBack: return takeBackWish(moment)
    case .usersChanged(let reach): return usersChanged(reach)
    case .usersWritten(let revision, let next): return usersWritten(revision, next: next, moment)
    case .usersNotWritten(let revision): return usersNotWritten(revision)
    case .retryUsers:
      users.isPausing = false
      return []
    case .usersChecked(let revision, let isKnown): return usersChecked(revision, isKnown: isKnown)
    case .thawFailed: return thawFailed()
    case .forget:
      isForgotten = true
      // At most a launch is under way that is not on record yet: the store keeps the row of a pod that has a generation on
      // record.
      return [.cancelTimers] + (lifecycle.state.hasScope ? step(.stop(.operator, then: .cold), moment) : [])
    }
  }

  struct Moment {
    var now: LoopTime
    var random: Double
    var policy: Lifecycle.Policy
  }

  var drains: Bool { current.map { $0.hasScope && $0.traits?.handover == .drain } ?? false }

  /// Other users may want the pod meanwhile.
  private mutating func takeBackWish(_ moment: Moment) -> [Effect] {
    guard lifecycle.wanted == .run else { return [] }
    switch lifecycle.state {
    case .cold, .backoff: return step(.stop(.operator, then: .cold), moment)
    default: return persist(.run)
    }
  }

  // MARK: The lifecycle's effects

  mutating func step(_ event: Lifecycle.Event, _ moment: Moment) -> [Effect] {
    let before = Place(lifecycle)
    let decided = lifecycle.handle(event, now: moment.now, random: moment.random, policy: moment.policy)
    let after = Place(lifecycle)
    let isNewState = before.state != after.state || decided.contains(.promote)
    var effects: [Effect] = []
    if isNewState || before != after {
      effects.append(.moved(Move(from: before, to: after, event: event, isNewState: isNewState)))
    }
    for effect in decided { effects += perform(effect) }
    // No caller may wait for a change that can no longer come.
    if !lifecycle.state.hasScope { effects.append(.resolveFailed(lifecycle.lastEnd ?? .operator)) }
    return effects
  }

  private mutating func perform(_ effect: Lifecycle.Effect) -> [Effect] {
    switch effect {
    case .launch: return launch(as: .current)
    case .launchSuccessor: return launch(as: .other)
    case .promote:
      swap(&current, &other)
      return []
    case .stopScope: return stop(.current)
    case .stopOther: return isRelievedOneByOne ? [] : stop(.other)
    case .recordEnd(let reason): return recordEnd(of: .current, reason)
    case .recordOtherEnd(let reason): return recordEnd(of: .other, reason) + roomIsMade()
    case .drain: return drain()
    case .freezeScope: return ofCurrent(.freeze)
    case .thawScope: return signalBeforeThaw() + ofCurrent(.thaw)
    case .armBackoff(let pause): return armBackoff(pause)
    case .persist(let wanted): return persist(wanted)
    case .recordStartLimitHit(let isHit): return recordStartLimitHit(isHit)
    case .cancelTimer: return [.cancelTimers]
    case .release: return [.release]
    case .resolveReady: return [.resolveReady]
    case .resolveFailed(let reason): return [.resolveFailed(reason)]
    case .announce: return isForgotten ? [] : [.announce]
    }
  }

  private func ofCurrent(_ effect: GenerationLife.Effect) -> [Effect] {
    current.map { [.generation($0.id, effect)] } ?? []
  }

  private mutating func launch(as position: Lifecycle.Position) -> [Effect] {
    let life = GenerationLife(id: nextID())
    self[position] = life
    return [.generation(life.id, .awaitStrayScopes)]
  }

  mutating func nextID() -> ID {
    lastID += 1
    return ID(number: lastID)
  }

  private mutating func drain() -> [Effect] {
    guard let id = current?.id else { return [] }
    let recorded = current?.recordStop(lifecycle.stopCause) ?? []
    return (recorded + [.drain]).map { .generation(id, $0) }
  }

  /// Without a pause in the same turn, so that the end and the next launch wait for the disk once. Not after a launch
  /// that failed: it may have waited for nothing, and nothing else would have its turn any more.
  private func armBackoff(_ pause: Microseconds) -> [Effect] {
    pause == .zero && lifecycle.lastEnd?.isLaunchFailure == false
      ? [.then(.pod(.backoffElapsed))] : [.armBackoff(pause)]
  }

  private func persist(_ wanted: Lifecycle.Wanted) -> [Effect] {
    isForgotten ? [] : [.persist(wanted)]
  }

  private mutating func recordStartLimitHit(_ isHit: Bool) -> [Effect] {
    if isForgotten { return [] }
    // A pod at its start limit keeps no generation.
    return (isHit ? stop(.other) : []) + [.recordStartLimitHit(isHit)]
  }

  private mutating func recordEnd(of position: Lifecycle.Position, _ reason: EndReason) -> [Effect] {
    guard let life = self[position] else { return [] }
    self[position] = nil
    // A generation that was never written down has nothing to record.
    let record = life.unit.map { GenerationLife.Effect.recordEnd($0, reason, life.evidence) }
    return [record, .dispose].compactMap { $0.map { .generation(life.id, $0) } }
  }

  // MARK: The generations' reports

  private mutating func handle(
    _ event: GenerationLife.Event, of id: ID, _ moment: Moment
  ) -> [Effect] {
    switch event {
    case .strayScopesGone(let next): return makeRoom(for: id, next)
    case .turn(let traits): return begin(id, traits, moment)
    // The generation may have ended meanwhile.
    case .usersRead(let revision): return usersRead(revision, by: id)
    case .usersNotRead(let next): return usersNotRead(by: id, next: next, moment)
    default: break
    }
    guard let position = position(of: id), var life = self[position] else { return [] }
    let neighbour = self[position == .current ? .other : .current]
    // When the row is gone, the firewall may be open for the next pod of this name already.
    let closesFirewall = !isForgotten && !(neighbour?.needsFirewall ?? false)
    let step = life.handle(event, as: position, closesFirewall: closesFirewall)
    self[position] = life
    if case .written(let unit) = event, life.unit == unit { wasWritten(unit) }
    return step.effects.map { .generation(id, $0) }
      + (step.report.map { report($0, of: id, position, moment) } ?? [])
  }

  private mutating func wasWritten(_ unit: UnitName) {
    lastGeneration = unit.generation
    restartsOnRecord = lifecycle.restarts
  }

  private mutating func report(
    _ report: GenerationLife.Report, of id: ID, _ position: Lifecycle.Position, _ moment: Moment
  ) -> [Effect] {
    switch (report, position) {
    case (.launchFailed(let reason), _):
      return step(.launchFailed(reason, of: position), moment) + leftoversAreAlone()
    case (.ended(let reason), _): return step(.ended(reason, of: position), moment) + leftoversAreAlone()
    case (.startTimeout(let reason), _): return step(.startTimeout(of: position, reason), moment)
    case (.ready, _): return becameReady(id, position, moment)
    case (.unhealthy(let reason), .current): return step(.failed(reason), moment)
    case (.drained, .current): return step(.drained, moment)
    case (.frozen, .current): return step(.frozen, moment)
    case (.thawed, .current): return step(.thawed, moment)
    case (.leftovers(let reason), _): return stopLeftovers(reason, of: id, position, moment)
    case (.workersComplete, .current): return isBeingRelieved ? stop(.other) : []
    case (.unhealthy, .other), (.drained, .other), (.frozen, .other), (.thawed, .other),
      (.workersComplete, .other):
      return []
    }
  }

  private mutating func becameReady(
    _ id: ID, _ position: Lifecycle.Position, _ moment: Moment
  ) -> [Effect] {
    var effects = step(.ready(of: position), moment)
    guard lifecycle.state == .ready, let life = current, life.id == id, life.readiness != .serving else {
      return effects
    }
    if life.readiness != .recording {
      effects.append(.generation(id, .recordReadiness(isAwaited: false)))
    }
    effects.append(.generation(id, .serve))
    current?.readiness = .serving
    // Its predecessor may be left over from a generation that ended in the middle of taking over.
    if life.traits?.furtherProcesses ?? 0 == 0, isBeingRelieved { effects += stop(.other) }
    return effects
  }

  /// Nothing survives its scope: what the main process left behind is stopped with it.
  private mutating func stopLeftovers(
    _ reason: EndReason, of id: ID, _ position: Lifecycle.Position, _ moment: Moment
  ) -> [Effect] {
    let isHung = isHung(position)
    // No process serves any more, so the pod is not ready, however long its leftovers take to end.
    let isUseless = position == .current && lifecycle.state == .ready && lifecycle.other == nil
    let failed = isUseless ? step(.failed(reason), moment) : []
    return failed + [.generation(id, .stopUnit(isHung: isHung)), .generation(id, .awaitEmptyScope)]
  }

  /// The current generation has nothing but leftovers, and no other one is left that may take over.
  private func leftoversAreAlone() -> [Effect] {
    guard lifecycle.state == .ready, lifecycle.other == nil, case .ending(let evidence?) = current?.phase
    else {
      return []
    }
    return [.then(.pod(.failed(evidence.reason)))]
  }

  // MARK: Room

  /// At most one generation serves a pod's data, or two if the workload allows it, and never three: the launch waits for
  /// the end of a generation that is being stopped.
  private mutating func makeRoom(for id: ID, _ next: Lifecycle.Handover?) -> [Effect] {
    guard let position = position(of: id), self[position]?.phase == .waiting(.strayScopes) else { return [] }
    if position == .current, !hasRoom(.current, next) { return waitForRoom() }
    self[position]?.phase = .waiting(.turn)
    return [.generation(id, .awaitTurn)]
  }

  /// Whether a generation with `next` may begin at `position`.
  private func hasRoom(_ position: Lifecycle.Position, _ next: Lifecycle.Handover?) -> Bool {
    guard let neighbour = self[position == .current ? .other : .current] else { return true }
    return neighbour.hasScope && neighbour.mayOverlap(with: next)
  }

  private mutating func waitForRoom() -> [Effect] {
    current?.phase = .waiting(.room)
    return stop(.other)
  }

  private mutating func roomIsMade() -> [Effect] {
    guard let current, current.phase == .waiting(.room) else { return [] }
    self.current?.phase = .waiting(.turn)
    return [.generation(current.id, .awaitTurn)]
  }

  private mutating func begin(
    _ id: ID, _ traits: GenerationLife.Traits?, _ moment: Moment
  ) -> [Effect] {
    guard let position = position(of: id), var life = self[position], life.phase == .waiting(.turn),
      !life.isCancelled
    else { return [.generation(id, .endTurn)] }
    if let traits, !hasRoom(position, traits.handover) {
      // The workload file was changed while it waited for its turn.
      let instead = position == .current ? waitForRoom() : step(.successorMayNotOverlap, moment)
      return [.generation(id, .endTurn)] + instead
    }
    let unit = UnitName(pod: pod, generation: lastGeneration + 1)
    // Its program reads the users file as it starts, and is notified of what changes from here on.
    life.usersRead = users.revision
    users.isRecorded = false
    let effects = life.begin(unit, traits, isRestart: lifecycle.restarts > restartsOnRecord)
    self[position] = life
    return effects.map { .generation(id, $0) }
  }

  // MARK: Stopping

  mutating func stop(_ position: Lifecycle.Position) -> [Effect] {
    guard var life = self[position] else { return [] }
    let cause = position == .current ? lifecycle.stopCause : lifecycle.other?.cause
    let effects = life.stop(GenerationLife.Stop(cause: cause, isHung: isHung(position)))
    self[position] = life
    return effects.map { .generation(life.id, $0) }
      + (life.isCancelledBeforeItsTurn ? [.then(.generation(life.id, .cancelled))] : [])
  }

  private func isHung(_ position: Lifecycle.Position) -> Bool {
    position == .current && lifecycle.stopCause == .health
  }

  /// Whether the current generation has replaced the other one.
  private var isBeingRelieved: Bool {
    if case .predecessor = lifecycle.other { true } else { false }
  }

  /// A predecessor with several processes gives way to its successor's one after the other, and is stopped when the
  /// last of these runs.
  private var isRelievedOneByOne: Bool {
    guard isBeingRelieved, let current, let other else { return false }
    return current.traits?.furtherProcesses ?? 0 > 0 && current.workers == 0 && other.workers > 0
  }
}
