import PodModel
import PodStore
import Systemd

/// One pod while podd runs: its lifecycle, its generations, and who waits for it. It performs the effects that
/// ``Lifecycle`` decides on and feeds back what happened.
@LoopActor
final class Pod {
  let name: PodName
  unowned let host: PodHost

  // Pod+Launch, Pod+Users and Pod+Ends write these; to all others they are for reading.
  var record: PodRecord
  private(set) var lifecycle: Lifecycle
  /// The generation that is the pod, and a second one on its way in or out.
  private(set) var current: Generation?
  private(set) var other: Generation?
  /// CLOCK_REALTIME, microseconds: when the state was entered.
  private(set) var since: UInt64
  var usersWritten: [UserRecord] = []
  lazy var users = Coalesced { [unowned self] in await self.refresh() }
  var reloadAnswered: UnsafeContinuation<Void, Never>?
  var sample: MemorySample?
  /// Of a freeze under way.
  private(set) var freezing: Task<Void, Never>?
  private(set) lazy var wakeOnConnect = WakeOnConnect(self)
  /// Since when it has been idle, and which generation.
  var idleness: (unit: UnitName, clock: Idleness)?
  /// What was last asked of it because memory was short.
  var givenUp: GivenUp?
  /// From which podd asked last whether it is there.
  var probePort: UInt16? {
    didSet {
      guard let probePort else { return }
      let patience = current?.workload?.probeTimeoutUSec ?? Workload.defaultTimeoutUSec
      probePorts.add(probePort, at: EventLoop.main.now(), patience: patience)
    }
  }
  private(set) var probePorts = ProbePorts()
  /// When new connections were first held off; nil while they are not.
  var heldSince: UInt64?
  private(set) var transitions: [Transition] = []

  private var timer: EventSource?
  private var waiters: [UnsafeContinuation<EndReason?, Never>] = []
  private var waitingForOther: [UnsafeContinuation<Void, Never>] = []
  private var isForgotten = false
  /// The provision that made it failed, when others were already placed on it. PodHost's to write.
  var wasMadeInVain = false

  init(_ record: PodRecord, host: PodHost) {
    name = record.name
    self.record = record
    self.host = host
    since = realtimeNow()
    lifecycle = Lifecycle(
      wanted: record.wanted, crashLoop: record.crashLoopHold, lastEnd: record.lastExitReason,
      restarts: UInt64(max(0, record.restarts)), now: EventLoop.main.now())
  }

  var state: PodState { lifecycle.state }
  var scope: RunningScope? { current?.scope }
  var workload: Workload? { current?.workload }
  var usersAreStale: Bool { current?.usersAreStale ?? false }
  /// Generations that were begun in the store and have no end there yet.
  var openUnits: [UnitName] { [current?.unit, other?.unit].compactMap { $0 } }

  /// What the store says now: the number of users changes with every provision.
  func update(_ record: PodRecord) { self.record = record }

  /// The store took back that somebody wanted the pod, because it could not serve them. Others may have come
  /// to want it meanwhile.
  func wishTakenBack(_ record: PodRecord) {
    update(record)
    guard record.wanted == .cold && lifecycle.wanted == .run else { return }
    switch state {
    case .cold, .backoff: handle(.stop(.operator, then: .cold))
    default: perform(.persist(.run))
    }
  }

  /// Its row is gone. It comes to its end by itself, and writes nothing about the next pod of its name.
  func forget() {
    isForgotten = true
    timer = nil
  }

  // MARK: Events

  /// - Parameter time: When it happened. CLOCK_REALTIME, microseconds.
  func handle(_ event: Lifecycle.Event, at time: UInt64 = realtimeNow()) {
    let before = Transition.Place(lifecycle)
    let effects = lifecycle.handle(
      event, now: EventLoop.main.now(), random: Double.random(in: 0..<1), policy: host.restartPolicy)
    if lifecycle.state != before.state || effects.contains(.promote) { since = time }
    if lifecycle.state != before.state || lifecycle.beside?.kind != before.other {
      transitions = transitions.suffix(Transition.kept - 1) + [Transition(from: before, event, to: lifecycle)]
    }
    for effect in effects { perform(effect) }
    // Whoever waits for a change that can no longer come must not wait.
    if !state.hasScope { resolve(lifecycle.lastEnd ?? .operator) }
  }

  /// An event of one generation, whichever of the pod's two it is by now.
  func handle(
    _ generation: Generation, own event: Lifecycle.Event, beside otherEvent: Lifecycle.Event,
    at time: UInt64 = realtimeNow()
  ) {
    if generation === current {
      handle(event, at: time)
    } else if generation === other {
      handle(otherEvent, at: time)
    }
  }

  private func perform(_ effect: Lifecycle.Effect) {
    switch effect {
    case .launch: current = launching()
    case .launchSuccessor: other = launching()
    case .promote:
      swap(&current, &other)
      sample = nil
    case .cancelTimer:
      timer = nil
      current?.timer = nil
      other?.timer = nil
    case .drain:
      if let current {
        recordStopCause(current)
        loopTask { await self.drain(current) }
      }
    case .release: loopTask { await self.release() }
    case .stopScope: if let current { stop(current) }
    case .stopBeside: stopOther()
    case .freezeScope: freezing = loopTask { await self.freeze() }
    case .thawScope: loopTask { await self.thaw() }
    case .recordEnd(let reason):
      if let current { recordEnd(current, reason) }
      current = nil
    case .recordBesideEnd(let reason):
      if let other { recordEnd(other, reason) }
      other = nil
      let waiting = waitingForOther
      waitingForOther = []
      for continuation in waiting { continuation.resume() }
    case .armBackoff(let delay): armBackoff(delay)
    case .persist(let wanted):
      record.wanted = wanted
      if isForgotten { return }
      let name = name
      host.write("what is wanted of \(name)") { store throws(StoreError) in
        try store.setWanted(wanted, pod: name)
      }
    case .holdCrashLoop(let held): holdCrashLoop(held)
    case .resolveReady: resolve(nil)
    case .resolveFailed(let reason): resolve(reason)
    case .announce: host.announce(self)
    }
  }

  private func armBackoff(_ delay: UInt64) {
    if delay == 0, lifecycle.lastEnd?.isLaunchFailure == false {
      // In this turn of the loop, so that the end and the next launch wait for the disk once. Not after a launch that
      // failed: it may have waited for nothing, and the loop would not turn any more.
      loopTask { self.handle(.backoffElapsed) }
    } else {
      timer = newTimer(delay) { $0.handle(.backoffElapsed) }
    }
  }

  private func launching() -> Generation {
    let generation = Generation()
    loopTask { await self.launch(generation) }
    return generation
  }

  private func holdCrashLoop(_ held: Bool) {
    let name = name
    record.crashLoopHold = held
    if isForgotten { return }
    if held {
      // Nothing of a pod that is held goes on.
      if let other { stop(other) }
      let reason = PodHost.text(lifecycle.lastEnd)
      let text =
        "\(name) ended too often in too short a time (\(reason)) and is held until 'podctl reset \(name)'."
      Log.event(.podCrashLoop, text, priority: .error, journalFields)
      host.alerts.raise(.crashLoop, [("MESSAGE", text)] + journalFields)
    }
    host.write("the crash-loop hold of \(name)") { store throws(StoreError) in
      try store.setCrashLoopHold(held, pod: name)
    }
  }

  func newTimer(_ after: UInt64, _ body: @escaping @LoopActor (Pod) -> Void) -> EventSource? {
    do throws(Errno) {
      return try EventSource.timer(EventLoop.main, after: after) { [weak self] in
        LoopActor.assumeIsolated { if let self { body(self) } }
      }
    } catch {
      Log.error("\(name): \(error)")
      return nil
    }
  }

  // MARK: What podd finds at its start

  /// A scope found running: podd was restarted.
  func adopt(_ generation: Generation, ready: Bool, since: UInt64?) {
    current = generation
    lifecycle.adopt(ready: ready, since: EventLoop.main.now())
    self.since = since ?? realtimeNow()
  }

  /// An older one, found running beside it: podd ended in the middle of a handover.
  func adoptPredecessor(_ generation: Generation) {
    other = generation
    lifecycle.adoptPredecessor(generation.stopCause ?? .unknownAdopted)
  }

  /// The generation on record ended while podd was away.
  func endedUnseen(_ reason: EndReason) {
    lifecycle.endedUnseen(reason)
    record.lastExitReason = reason
  }

  // MARK: Waiting

  /// Nil once the pod serves; else why it does not. Bounded: the lifecycle leaves these states by its timeouts.
  func waitUntilReady() async -> EndReason? {
    switch state {
    case .ready: return nil
    case .starting, .stopping, .draining, .frozen:
      return await withUnsafeContinuation { waiters.append($0) }
    case .cold, .backoff, .crashLoop, .stopped: return lifecycle.lastEnd ?? .operator
    }
  }

  /// The same for a generation that is yet to take over.
  func waitUntilReplaced() async -> EndReason? {
    guard state == .ready && lifecycle.isBeingReplaced else { return await waitUntilReady() }
    return await withUnsafeContinuation { waiters.append($0) }
  }

  /// Returns when no process of the pod is left.
  func waitUntilGone() async {
    while state == .stopping || state == .draining {
      _ = await withUnsafeContinuation { waiters.append($0) }
    }
  }

  /// Returns when a second generation has ended.
  func waitForOthersEnd() async {
    await withUnsafeContinuation { waitingForOther.append($0) }
  }

  func resolve(_ reason: EndReason?) {
    let waiting = waiters
    waiters = []
    for continuation in waiting { continuation.resume(returning: reason) }
  }

  // MARK: Figures

  /// The scope's memory, at most `maxAge` microseconds old: memory.stat costs the kernel a walk over all
  /// CPUs, so it is not read for every question.
  func memory(maxAge: UInt64) -> MemorySample? {
    if let sample, scope != nil, sample.at.after(maxAge) > EventLoop.main.now() { return sample }
    return host.memory.sample(self)
  }

  var journalFields: [(String, String)] {
    [
      ("POD", name.description), ("POD_TIER", record.tier), ("POD_STATE", state.rawValue),
      ("POD_GENERATION", String(record.generation)),
    ]
  }
}
