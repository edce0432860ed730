import Cgroup
import PodModel
import PodStore
import Systemd

/// One pod while podd runs: its lifecycle, its running generation, and who waits for it. It performs the
/// effects that ``Lifecycle`` decides on and feeds back what happened.
@LoopActor
final class Pod {
  let name: PodName
  unowned let host: PodHost

  // Pod+Launch, Pod+Users and Pod+Ends write these; to all others they are for reading.
  var record: PodRecord
  var lifecycle: Lifecycle
  var generation: Generation?
  /// CLOCK_REALTIME, microseconds: when the state was entered.
  var since: UInt64
  /// The workload of the running generation.
  var workload: Workload?
  var tier: Tier?
  var held: LaunchProcess?
  var stopping = false
  /// Whether the program knows less of its users than the store.
  var usersStale = false
  var usersWritten: [UserRecord] = []
  lazy var users = UsersRefresh { [unowned self] in await self.refresh() }
  var reloadAnswered: UnsafeContinuation<Void, Never>?
  var sample: MemorySample?
  var readyBeforeStarted = false
  /// The generation that was begun in the store and has no end there yet.
  var openUnit: UnitName?
  var lastEvidence: EndEvidence?

  private var timer: EventSource?
  private var waiters: [UnsafeContinuation<EndReason?, Never>] = []
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

  var placeholders: Placeholders { request(generation: record.generation)?.placeholders ?? emptyPlaceholders }

  private var emptyPlaceholders: Placeholders {
    Placeholders(
      address: record.address, port: record.port, pod: name, usersFile: UsersFile.path(of: name),
      stateDirectory: UserData.directory(of: name))
  }

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

  func handle(_ event: Lifecycle.Event) {
    let before = lifecycle.state
    let effects = lifecycle.handle(
      event, now: EventLoop.main.now(), random: Double.random(in: 0..<1), policy: host.restartPolicy)
    if lifecycle.state != before { since = realtimeNow() }
    for effect in effects { perform(effect) }
    // Whoever waits for a change that can no longer come must not wait.
    if !state.hasScope { resolve(lifecycle.lastEnd ?? .operator) }
  }

  private func perform(_ effect: Lifecycle.Effect) {
    switch effect {
    case .launch:
      loopTask { await self.launch() }
    case .armStartTimeout:
      // Until the workload is known, its own timeout is not; launch() arms it again.
      arm(90_000_000) { $0.handle(.startTimeout) }
    case .cancelTimer:
      timer = nil
    case .stopScope:
      stopScope()
    case .recordEnd(let reason):
      recordEnd(reason)
    case .armBackoff(let delay):
      arm(delay) { $0.handle(.backoffElapsed) }
    case .persist(let wanted):
      record.wanted = wanted
      if isForgotten { return }
      let name = name
      host.write("what is wanted of \(name)") { store throws(StoreError) in
        try store.setWanted(wanted, pod: name)
      }
    case .holdCrashLoop(let held):
      let name = name
      record.crashLoopHold = held
      if isForgotten { return }
      if held {
        Log.event(
          .podCrashLoop,
          "\(name) ended too often in too short a time and is held until 'podctl reset \(name)'.",
          priority: .error, journalFields)
      }
      host.write("the crash-loop hold of \(name)") { store throws(StoreError) in
        try store.setCrashLoopHold(held, pod: name)
      }
    case .resolveReady: resolve(nil)
    case .resolveFailed(let reason): resolve(reason)
    case .announce: host.announce(self)
    }
  }

  func arm(_ after: UInt64, _ body: @escaping @LoopActor (Pod) -> Void) {
    do throws(Errno) {
      timer = try EventSource.timer(EventLoop.main, after: after) { [weak self] in
        LoopActor.assumeIsolated { if let self { body(self) } }
      }
    } catch {
      Log.error("\(name): \(error)")
    }
  }

  // MARK: Waiting

  /// Nil once the pod serves; else why it does not. Bounded: the lifecycle leaves `starting` by its timeout.
  func waitUntilReady() async -> EndReason? {
    switch state {
    case .ready: return nil
    case .starting, .stopping: return await withUnsafeContinuation { waiters.append($0) }
    case .cold, .draining, .frozen, .backoff, .crashLoop, .stopped: return lifecycle.lastEnd ?? .operator
    }
  }

  /// Returns when no process of the pod is left.
  func waitUntilGone() async {
    while state == .stopping {
      _ = await withUnsafeContinuation { waiters.append($0) }
    }
  }

  private func resolve(_ reason: EndReason?) {
    let waiting = waiters
    waiters = []
    for continuation in waiting { continuation.resume(returning: reason) }
  }

  // MARK: Figures

  struct MemorySample {
    var at: UInt64
    var current: UInt64?
    var anon: UInt64?
  }

  /// The scope's memory, at most `maxAge` microseconds old: memory.stat costs the kernel a walk over all
  /// CPUs, so it is not read for every question.
  func memory(maxAge: UInt64) -> MemorySample? {
    guard let generation else { return nil }
    let now = EventLoop.main.now()
    if let sample, sample.at + maxAge > now { return sample }
    let fresh = MemorySample(
      at: now,
      current: generation.read("memory.current").flatMap { UInt64($0.filter(\.isNumber)) },
      anon: generation.read("memory.stat").flatMap { CgroupFiles.value(of: "anon", in: $0) })
    sample = fresh
    return fresh
  }

  var journalFields: [(String, String)] {
    [
      ("POD", name.description), ("POD_TIER", record.tier), ("POD_STATE", state.rawValue),
      ("POD_GENERATION", String(record.generation)),
    ]
  }
}
