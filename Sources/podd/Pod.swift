import CLinux
import Cgroup
import Glibc
import PodModel
import PodStore
import Systemd

/// One pod while podd runs: its lifecycle, its running generation, and who waits for it. It performs the
/// effects that ``Lifecycle`` decides on and feeds back what happened.
@LoopActor
final class Pod {
  let name: PodName
  private(set) var record: PodRecord
  private(set) var lifecycle: Lifecycle
  private(set) var generation: Generation?
  /// CLOCK_REALTIME, microseconds: when the state was entered.
  private(set) var since: UInt64
  /// The workload of the running generation.
  private(set) var workload: Workload?
  private var tier: Tier?
  private unowned let host: PodHost

  private var timer: EventSource?
  private var held: LaunchProcess?
  private var stopping = false
  private var waiters: [UnsafeContinuation<EndReason?, Never>] = []
  /// Whether the program knows less of its users than the store.
  private(set) var usersStale = false
  private var usersWritten: [UserRecord] = []
  private lazy var users = UsersRefresh { [unowned self] in await self.refresh() }
  private var reloadAnswered: UnsafeContinuation<Void, Never>?
  private var sample: MemorySample?
  private var readyBeforeStarted = false
  /// The generation that was begun in the store and has no end there yet.
  private(set) var openUnit: UnitName?
  private(set) var lastEvidence: EndEvidence?
  private var isForgotten = false
  /// The provision that made it failed, when others were already placed on it.
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

  private func arm(_ after: UInt64, _ body: @escaping @LoopActor (Pod) -> Void) {
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

  // MARK: Launch

  private func request(generation: Int) -> Launcher.Request? {
    guard let tier, let workload else { return nil }
    return Launcher.Request(
      unit: UnitName(pod: name, generation: generation), record: record, tier: tier, workload: workload)
  }

  private func launch() async {
    await host.launchSlots.acquire()
    defer { host.launchSlots.release() }
    // While the bus is away nothing can be launched; that is no fault of the pod's.
    await host.busConnected()
    guard state == .starting else {
      // Stopped while it waited for its turn.
      handle(.ended(.operator))
      return
    }
    // It reads its users file as it starts; whoever comes from here on is told of afterwards.
    usersStale = false
    do throws(LaunchFailure) {
      let generation = try await launchGeneration()
      started(generation)
    } catch {
      held = nil
      if let request = request(generation: record.generation) {
        Log.event(
          .podLaunchFailed, "\(name) could not be launched: \(error.reason)", priority: .error,
          journalFields + [("POD_REASON", error.reason.description), ("POD_UNIT", request.unit.description)])
      }
      host.firewall.close(name)
      handle(.launchFailed(error.reason))
    }
  }

  private func launchGeneration() async throws(LaunchFailure) -> Generation {
    let tier: Tier
    let workload: Workload
    do throws(Configuration.Failure) {
      tier = try host.configuration.tier(record.tier).tier
      workload = try host.configuration.workload(of: tier)
    } catch {
      Log.event(.settingsError, "\(name) cannot be launched: \(error)", priority: .error, journalFields)
      throw LaunchFailure(stage: "settings", error: "EINVAL")
    }
    self.tier = tier
    self.workload = workload
    guard let expected = request(generation: record.generation + 1) else {
      throw LaunchFailure(stage: "settings", error: "EINVAL")
    }
    let launcher = host.launcher
    // While the disk is waited for; what the store has to say decides whether it goes on.
    let preparing = loopTask { () -> Result<LaunchProcess, LaunchFailure> in
      Result { () throws(LaunchFailure) in
        let process = try launcher.prepare(expected)
        self.held = process
        return process
      }
    }
    let users: [UserRecord]
    do throws(LaunchFailure) {
      users = try await begin(expected.unit)
    } catch {
      if case .success(let process) = await preparing.value { launcher.abandon(process) }
      throw error
    }
    let process = try await preparing.value.get()
    do throws(LaunchFailure) {
      try await host.firewall.open(name, uid: record.uid, words: workload.ipAddressAllow)
    } catch {
      launcher.abandon(process)
      throw error
    }
    arm(workload.timeoutStartUSec) { $0.handle(.startTimeout) }
    return try await launcher.launch(expected, process) { () throws(LaunchFailure) in
      do throws(UsersFile.Failure) {
        try self.writeUsersFile(users)
      } catch {
        Log.error("\(self.name): \(error)")
        if case .io(let errno) = error { throw LaunchFailure(stage: "users", errno) }
        throw LaunchFailure(stage: "users", error: "EINVAL")
      }
    }
  }

  /// Writes the generation down, before systemd hears of it, and asks who is placed here.
  private func begin(_ unit: UnitName) async throws(LaunchFailure) -> [UserRecord] {
    let begun: (generation: Int, users: [UserRecord])
    do throws(StoreError) {
      let name = name
      let now = Int64(realtimeNow())
      let restart = lifecycle.restarts > UInt64(max(0, record.restarts))
      let createdAt = record.createdAt
      begun = try await host.store.run { store throws(StoreError) in
        (
          try store.beginGeneration(pod: name, createdAt: createdAt, restart: restart, now: now),
          try store.users(ofPod: name)
        )
      }
    } catch {
      Log.error("\(name): \(error)")
      throw LaunchFailure(stage: "store", error: "EIO")
    }
    record.generation = begun.generation
    openUnit = UnitName(pod: name, generation: begun.generation)
    readyBeforeStarted = false
    record.restarts = Int(clamping: lifecycle.restarts)
    guard begun.generation == unit.generation else {
      Log.error("\(name): generation \(begun.generation) is on record where \(unit.generation) comes next")
      throw LaunchFailure(stage: "store", error: "ESTALE")
    }
    return begun.users
  }

  /// Who is placed here is read from the store each time: it alone knows.
  private func writeUsersFile() async throws(UsersFile.Failure) {
    let name = name
    let users: [UserRecord]
    do throws(StoreError) {
      users = try await host.store.run { store throws(StoreError) in try store.users(ofPod: name) }
    } catch {
      throw .io(Errno(EIO, error.description))
    }
    try writeUsersFile(users)
  }

  private func writeUsersFile(_ users: [UserRecord]) throws(UsersFile.Failure) {
    for user in users {
      do throws(Errno) {
        try UserData.ensure(user, in: name, uid: record.uid)
      } catch {
        throw .io(error)
      }
    }
    try UsersFile.write(
      users, pod: name, uid: record.uid, dataMax: tier?.dataMax, template: workload?.usersTemplate)
    usersWritten = users
  }

  private func started(_ generation: Generation) {
    held = nil
    let unit = generation.unit
    self.generation = generation
    generation.notifiedReady = readyBeforeStarted
    if !usersStale { UsersTold.record(usersWritten, of: name) }
    watch(generation)
    Log.event(
      .podStarted, "\(name) started as \(unit), main process \(generation.pid).",
      journalFields + [("POD_UNIT", unit.description)])
    let pid = generation.pid
    let ticks = generation.startTicks
    let invocation = Files.linkTarget("/run/systemd/units/invocation:\(unit)") ?? ""
    let now = Int64(realtimeNow())
    host.write("the start of \(unit)") { store throws(StoreError) in
      try store.generationStarted(
        unit, bootID: ProcessIdentity.bootID, invocationID: invocation, mainPID: pid, mainStartTicks: ticks,
        now: now)
    }
    if state == .stopping {
      // The stop came while the scope was being made.
      stopScope()
    } else {
      awaitReadiness(generation)
    }
  }

  private func watch(_ generation: Generation) {
    do throws(Errno) {
      try generation.watch { [weak self] in self?.mainProcessEnded(generation) }
    } catch {
      Log.error("\(name): cannot watch its main process: \(error)")
    }
  }

  /// A scope found running: podd was restarted.
  func adopt(_ generation: Generation, tier: Tier?, workload: Workload?, ready: Bool, since: UInt64?) {
    self.tier = tier
    self.workload = workload
    self.generation = generation
    openUnit = generation.unit
    generation.notifiedReady = ready
    host.firewall.note(name, uid: record.uid, words: workload?.ipAddressAllow ?? [])
    lifecycle.adopt(ready: ready, since: EventLoop.main.now())
    self.since = since ?? realtimeNow()
    watch(generation)
    Log.event(
      .podAdopted, "\(name) runs on as \(generation.unit), main process \(generation.pid).",
      journalFields + [("POD_UNIT", generation.unit.description)])
    if !ready {
      arm(workload?.timeoutStartUSec ?? 90_000_000) { $0.handle(.startTimeout) }
      awaitReadiness(generation)
    }
  }

  /// The generation on record ended while podd was away.
  func endedUnseen() {
    lifecycle.endedUnseen(.unknownAdopted)
    record.lastExitReason = .unknownAdopted
  }

  // MARK: Readiness

  private func awaitReadiness(_ generation: Generation) {
    guard let workload else { return }
    if generation.notifiedReady {
      becameReady()
      return
    }
    // An adopted program may have said READY=1 while podd was away: then its probe tells.
    if workload.type == .notify && !generation.adopted { return }
    guard let probe = workload.probe else {
      becameReady()
      return
    }
    loopTask { await self.probeUntilReady(generation, probe) }
  }

  /// A program that binds by itself raises no event when it is there: asked again and again, at growing
  /// intervals, until the start timeout ends it.
  private func probeUntilReady(_ generation: Generation, _ probe: Workload.Probe) async {
    var pause: UInt64 = 10_000
    while state == .starting && self.generation === generation {
      let answered = await Prober.ask(
        probe, address: record.address, front: record.frontAddress, port: record.port,
        timeoutUSec: workload?.probeTimeoutUSec ?? 5_000_000)
      guard state == .starting && self.generation === generation else { return }
      if answered {
        becameReady()
        return
      }
      await EventLoop.main.sleep(pause)
      pause = min(pause * 3 / 2, 1_000_000)
    }
  }

  private func becameReady() {
    guard state == .starting, let generation else { return }
    handle(.ready)
    let unit = generation.unit
    let now = Int64(realtimeNow())
    Log.event(.podReady, "\(name) is ready.", journalFields + [("POD_UNIT", unit.description)])
    host.write("the readiness of \(unit)") { store throws(StoreError) in
      try store.generationReady(unit, now: now)
    }
    tellStaleUsers()
  }

  /// What the pod said on the notify socket.
  func notified(_ lines: [Substring]) {
    guard let generation else {
      // Said before pod-launch's control socket told that the program runs: taken up by started().
      if lines.contains("READY=1") && held != nil { readyBeforeStarted = true }
      return
    }
    if lines.contains("READY=1") {
      generation.notifiedReady = true
      reloadAnswered?.resume()
      reloadAnswered = nil
      if workload?.type == .notify { becameReady() }
    }
  }

  // MARK: Users

  /// Makes the pod's program know its users as they are now. Returns when it was told.
  func refreshUsers() async throws(UsersFile.Failure) {
    try await users.run()
  }

  /// After podd was started again: has the program been told of everybody who was placed here?
  func checkUsersTold() async {
    let name = name
    let users = try? await host.store.run { store throws(StoreError) in try store.users(ofPod: name) }
    usersStale = users.map { !UsersTold.isCurrent($0, of: name) } ?? true
    tellStaleUsers()
  }

  private func tellStaleUsers() {
    guard usersStale, state == .ready else { return }
    loopTask {
      do throws(UsersFile.Failure) {
        try await self.refreshUsers()
      } catch {
        Log.error("\(self.name) cannot be told of its users: \(error)")
      }
    }
  }

  private func refresh() async -> UsersFile.Failure? {
    usersStale = true
    do throws(UsersFile.Failure) {
      try await writeUsersFile()
    } catch {
      return error
    }
    guard state == .ready, let generation, let workload else { return nil }
    let users = usersWritten
    if let signal = workload.reloadSignal {
      await reload(generation, signal)
    } else if !workload.execReload.isEmpty, let request = request(generation: generation.unit.generation) {
      do throws(LaunchFailure) {
        try await host.launcher.reload(request, in: generation)
      } catch {
        Log.warning("\(name): ExecReload= failed (\(error.reason)), restarting it instead")
        await restartForUsers()
      }
    } else {
      await restartForUsers()
    }
    // Another generation has read the file as it started.
    if self.generation === generation {
      usersStale = false
      UsersTold.record(users, of: name)
    }
    return nil
  }

  /// systemd's Type=notify-reload: READY=1 after the signal says that the new file is in force. A program
  /// that does not speak the protocol is given a second, once.
  private func reload(_ generation: Generation, _ signal: Int32) async {
    generation.signal(signal)
    guard workload?.type == .notify, generation.answersReload else { return }
    let timeout: EventSource?
    timeout = try? EventSource.timer(EventLoop.main, after: 1_000_000) { [weak self] in
      LoopActor.assumeIsolated {
        guard let self, let waiting = self.reloadAnswered else { return }
        generation.answersReload = false
        self.reloadAnswered = nil
        waiting.resume()
      }
    }
    guard timeout != nil else { return }
    await withUnsafeContinuation { reloadAnswered = $0 }
  }

  private func restartForUsers() async {
    handle(.restart(.operator))
    _ = await waitUntilReady()
  }

  // MARK: Ends

  private func stopScope() {
    guard let generation else {
      // Still being launched: the held process goes, and the launch fails.
      held?.cancel()
      return
    }
    guard !stopping else { return }
    stopping = true
    loopTask { await self.stop(generation) }
  }

  private func stop(_ generation: Generation) async {
    do throws(BusError) {
      let result = try await host.systemd.stopUnit(generation.unit.description)
      if result != "done" { Log.warning("\(generation.unit): stop job ended with '\(result)'") }
    } catch {
      // The bus is away: what systemd would do, by hand.
      Log.warning(
        "\(generation.unit): cannot ask systemd to stop it (\(error.message)), signalling it directly")
      generation.signal(workload?.killSignal ?? SIGTERM)
      let deadline = EventLoop.main.now() + (workload?.timeoutStopUSec ?? 90_000_000)
      while generation.isPopulated && EventLoop.main.now() < deadline { await EventLoop.main.sleep(100_000) }
    }
    if generation.isPopulated { generation.killCgroup() }
  }

  private func mainProcessEnded(_ ended: Generation) {
    guard generation === ended else { return }
    let evidence = ended.evidence()
    loopTask { await self.clearUp(ended, evidence) }
  }

  /// Nothing survives its scope: what the main process left behind is stopped with it.
  private func clearUp(_ ended: Generation, _ evidence: EndEvidence) async {
    var evidence = evidence
    let unit = ended.unit.description
    if evidence.exit == nil || evidence.oomKills > 0 {
      // podd was not the parent, so systemd's word is the best there is.
      evidence.unitResult = try? await host.systemd.result(ofScope: unit)
    }
    if ended.isPopulated { await stop(ended) }
    // What was killed may still be on its way out, at worst in an uninterruptible sleep.
    var pause: UInt64 = 1_000
    while ended.isPopulated {
      await EventLoop.main.sleep(pause)
      pause = min(pause * 2, 1_000_000)
    }
    try? await host.systemd.unreferenceUnit(unit)
    ScopeJournalFields.withdraw(ended.unit)
    guard generation === ended else { return }
    host.firewall.close(name)
    generation = nil
    stopping = false
    sample = nil
    lastEvidence = evidence
    handle(.ended(evidence.reason))
  }

  private func recordEnd(_ reason: EndReason) {
    guard let unit = openUnit else { return }
    openUnit = nil
    record.lastExitReason = reason
    let evidence = lastEvidence?.json
    let now = Int64(realtimeNow())
    Log.event(
      .podEnded, "\(unit) ended: \(reason).", priority: reason == .operator ? .info : .warning,
      journalFields + [("POD_REASON", reason.description), ("POD_UNIT", unit.description)])
    host.write("the end of \(unit)") { store throws(StoreError) in
      try store.endGeneration(unit, reason: reason, evidence: evidence, now: now)
    }
    lastEvidence = nil
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
