import Cgroup
import CLinux
import Glibc
import PodModel
import PodStore
import Systemd

/// Makes what runs and what is on record agree: at start, after the bus came back, after any doubt.
/// Idempotent. The store says what should be, PID 1 and the cgroups say what is.
@LoopActor
struct Reconciler {
  let host: PodHost
  private let sources = Sources()

  init(host: PodHost) {
    self.host = host
  }

  private final class Sources {
    var byVersion: [WorkloadVersion: WorkloadSource] = [:]
  }

  struct Outcome: CustomStringConvertible {
    var adopted = 0
    var ended = 0
    var orphans = 0

    var description: String {
      "\(adopted) running and taken over, \(ended) ended unseen, \(orphans) scopes without a pod stopped"
    }
  }

  /// Makes every pod known that is on record.
  func loadPods() async throws(Failure) {
    do throws(StoreError) {
      for record in try await host.store.run({ store throws(StoreError) in try store.pods() }) {
        host.add(record)
      }
    } catch {
      throw .store(error)
    }
  }

  /// What podd itself has in hand, a pod that runs, starts or ends, is left to that pod's own watch: at start
  /// that is nothing, after a bus reconnect all but what was lost with the connection.
  func reconcile() async throws(Failure) -> Outcome {
    var outcome = Outcome()
    // Also what ends while the store and PID 1 are asked.
    var inHand = unitsInHand
    var open: [GenerationRecord]
    let workloads: [UnitName: WorkloadVersion]
    var scopes: [(unit: String, activeState: ActiveState?)]
    do throws(StoreError) {
      (open, workloads) = try await host.store.run { store throws(StoreError) in
        (try store.openGenerations(), try store.workloadsOfOpenGenerations())
      }
    } catch {
      throw .store(error)
    }
    do throws(BusError) {
      scopes = try await host.systemd.podScopes()
    } catch {
      throw .bus(error)
    }
    inHand.formUnion(unitsInHand)
    open.removeAll { inHand.contains($0.unit) }
    scopes.removeAll { scope in UnitName(scope.unit).map(inHand.contains) ?? false }
    var records: [UnitName: GenerationRecord] = [:]
    for record in open { records[record.unit] = record }
    // By others, where podd has not written down why.
    for unit in scopes.filter({ $0.activeState == .deactivating }).compactMap({ UnitName($0.unit) })
    where records[unit]?.stopCause == nil {
      records[unit]?.stopCause = .unknownAdopted
    }
    let rows = open.map { Reconcile.Row(unit: $0.unit, bootID: $0.bootID, isReady: $0.readyAt != nil) }
    for action in Reconcile.decide(
      rows: rows, scopes: look(scopes, records, workloads), boot: ProcessIdentity.bootID)
    {
      switch action {
      case .adopt(let unit):
        await takeOver(unit, records[unit], workloads, asPredecessor: false, &outcome)
      case .relieve(let unit):
        await takeOver(unit, records[unit], workloads, asPredecessor: true, &outcome)
      case .stop(let unit, let owned):
        clear(unit, end: owned ? UnitName(unit).flatMap { records[$0] }.unseenEnd : nil)
        if !owned { outcome.orphans += 1 }
      case .resetFailed(let unit):
        // Forgotten meanwhile is as good.
        try? await host.systemd.resetFailed(unit)
      case .end(let unit):
        outcome.ended += 1
        // Of one that is being stopped, when that is done.
        if host.strayScopes.contains(unit) { break }
        if let record = records[unit] { killEscaped(record) }
        endUnseen(unit, records[unit].unseenEnd)
      }
    }
    return outcome
  }

  private func takeOver(
    _ unit: UnitName, _ record: GenerationRecord?, _ workloads: [UnitName: WorkloadVersion],
    asPredecessor: Bool,
    _ outcome: inout Outcome
  ) async {
    if let record, let pod = host.pods[unit.pod],
      await adopt(pod, record, workloads[unit], asPredecessor: asPredecessor)
    {
      outcome.adopted += 1
      return
    }
    // It ended since it was looked at.
    clear(unit.description, end: record.unseenEnd)
    outcome.ended += 1
  }

  private var unitsInHand: Set<UnitName> {
    host.strayScopes.units.union(host.pods.values.flatMap(\.openUnits))
  }

  /// What PID 1 has loaded, and what runs of the generations on record although PID 1 forgot it (facts 8).
  private func look(
    _ listed: [(unit: String, activeState: ActiveState?)], _ records: [UnitName: GenerationRecord],
    _ workloads: [UnitName: WorkloadVersion]
  ) -> [Reconcile.Scope] {
    var scopes = listed.map { unit, activeState in
      let record = UnitName(unit).flatMap { records[$0] }
      return Reconcile.Scope(
        unit: unit, hasMainProcess: record.map { hasMainProcess($0, workloads[$0.unit]) } ?? false,
        isFailed: activeState == .failed,
        isPopulated: record.map { isPopulated($0.unit) } ?? (activeState != .failed))
    }
    let units = Set(listed.map(\.unit))
    for record in records.values where !units.contains(record.unit.description) && isPopulated(record.unit) {
      scopes.append(
        Reconcile.Scope(
          unit: record.unit.description, hasMainProcess: hasMainProcess(record, workloads[record.unit]),
          isFailed: false, isPopulated: true))
    }
    return scopes
  }

  private func hasMainProcess(_ record: GenerationRecord, _ launched: WorkloadVersion?) -> Bool {
    cgroupPath(record.unit).flatMap { mainProcess(record, $0, launched) } != nil
  }

  private func isPopulated(_ unit: UnitName) -> Bool {
    guard let path = cgroupPath(unit) else { return false }
    return CgroupEvents.isPopulated(path)
  }

  /// Nil for a pod that is no longer on record.
  private func cgroupPath(_ unit: UnitName) -> String? {
    host.pods[unit.pod].map { Launcher.cgroupPath(unit, tier: $0.record.tier) }
  }

  private func endUnseen(_ unit: UnitName, _ reason: EndReason) {
    ScopeJournalFields.withdraw(unit)
    let now = Int64(realtimeNow())
    if let pod = host.pods[unit.pod], pod.current?.unit == nil { pod.endedUnseen(reason) }
    let fields = host.pods[unit.pod]?.journalFields ?? [("POD", unit.pod.description)]
    Log.event(
      .podEnded, "\(unit) ended while podd was away: \(reason).", priority: .notice,
      fields + [("POD_REASON", reason.description), ("POD_UNIT", unit.description)])
    host.write("the end of \(unit)") { store throws(StoreError) in
      try store.endGeneration(unit, reason: reason, evidence: nil, now: now)
    }
  }

  enum Failure: Error, CustomStringConvertible {
    case store(StoreError)
    case bus(BusError)

    var description: String {
      switch self {
      case .store(let error): error.description
      case .bus(let error): "systemd cannot be asked what runs: \(error.message)"
      }
    }
  }

  /// Goes on with what was being stopped when podd ended, and stops what should not run.
  func resumeStops() {
    for pod in host.pods.values where pod.state == .ready || pod.state == .starting {
      pod.resumeStop()
    }
  }

  /// Launches what should run, a bounded number at a time.
  func launchWanted() {
    for pod in host.launchOrder(host.pods.values) where pod.record.wanted == .run && pod.state == .cold {
      pod.handle(.start)
    }
  }

  /// References end with the connection (facts 3): takes them, at podd's start and after the bus came back. A few at a
  /// time, for PID 1's sake; nothing waits for it.
  func referenceAll() {
    let slots = AsyncSemaphore(16)
    for unit in host.pods.values.flatMap(\.openUnits) {
      loopTask {
        await slots.acquire()
        defer { slots.release() }
        do throws(BusError) {
          try await self.host.systemd.referenceUnit(unit.description)
        } catch {
          // The scope is gone; its pidfd tells the same.
          Log.debug("\(unit): \(error.message), ignoring")
        }
      }
    }
  }

  // MARK: Adoption

  private func adopt(
    _ pod: Pod, _ record: GenerationRecord, _ launched: WorkloadVersion?, asPredecessor: Bool
  ) async -> Bool {
    // Taken over before, or the record is of an earlier boot.
    guard asPredecessor ? pod.current != nil && pod.other == nil : pod.current == nil,
      record.bootID == nil || record.bootID == ProcessIdentity.bootID
    else { return false }
    guard let scope = look(for: record, launched, tier: pod.record.tier) else { return false }
    let tier = (try? host.configuration.tier(pod.record.tier))?.tier
    // As it was launched, whatever the files say by now; they serve where that is not on record.
    let source =
      launched.flatMap(self.source) ?? tier.flatMap { try? host.configuration.workloadSource(of: $0) }
    let workload = source?.workload
    if asPredecessor {
      pod.adoptPredecessor(scope, record, tier: tier, source: source)
    } else {
      do throws(Errno) {
        try NSSRecords.publish(UserDatabaseRecord(pod: pod.name, uid: pod.record.uid))
      } catch {
        Log.warning("\(pod.name): \(error)")
      }
      pod.adopt(scope, record, tier: tier, source: source)
      if workload?.listen == .socket {
        host.sockets.recover(
          pod.name, pid: scope.pid, address: pod.record.address, port: pod.record.port)
      }
      loopTask { await pod.checkUsersTold() }
    }
    if record.mainPID != scope.pid { pod.recordStart(scope) }
    return true
  }

  /// Read once for all pods that were launched with it.
  private func source(_ version: WorkloadVersion) -> WorkloadSource? {
    if let known = sources.byVersion[version] { return known }
    let source = try? WorkloadSource(version)
    sources.byVersion[version] = source
    return source
  }

  /// The generation as it runs; nil when it does not, or another process has its pid.
  private func look(
    for record: GenerationRecord, _ launched: WorkloadVersion?, tier: String
  ) -> RunningScope? {
    let path = Launcher.cgroupPath(record.unit, tier: tier)
    guard let pid = mainProcess(record, path, launched), let ticks = ProcessIdentity.startTicks(of: pid)
    else {
      return nil
    }
    guard let pidfd = ProcessIdentity.open(pid, startTicks: ticks), ProcessIdentity.cgroup(of: pid) == path
    else { return nil }
    let cgroup: Cgroup
    do throws(CgroupError) { cgroup = try Cgroup(path: path) } catch { return nil }
    return RunningScope(
      unit: record.unit, pid: pid, startTicks: ticks, pidfd: pidfd, cgroup: cgroup, adopted: true)
  }

  /// The recorded process if it is still itself; without a record (podd died in mid-launch) the one process
  /// of the scope whose parent is outside.
  private func mainProcess(_ record: GenerationRecord, _ path: String, _ launched: WorkloadVersion?) -> pid_t?
  {
    if let pid = record.mainPID {
      if ProcessIdentity.startTicks(of: pid) == record.mainStartTicks,
        ProcessIdentity.cgroup(of: pid) == path
      {
        return pid
      }
      // Of several processes, any can take the main one's place.
      let workers = launched.flatMap(source)?.workload.workers ?? .fixed(1)
      guard workers != .fixed(1) else { return nil }
    }
    guard let processes = try? Cgroup(path: path).processes() else { return nil }
    let members = Set(processes)
    return processes.first { pid in
      ProcessIdentity.parent(of: pid).map { !members.contains($0) } ?? false
    }
  }

  /// Stops a scope that no pod can take over, and records its end only when nothing of it is left. Nobody but its pod
  /// waits for that.
  private func clear(_ unit: String, end reason: EndReason?) {
    host.strayScopes.add(unit) {
      await self.stop(unit)
      if let reason {
        if let name = UnitName(unit) { self.endUnseen(name, reason) }
        return
      }
      Log.event(
        .orphanScopeStopped, "\(unit) belongs to no pod and was stopped.", priority: .warning,
        [("POD_UNIT", unit)])
    }
  }

  private func stop(_ unit: String) async {
    while true {
      await host.busConnected()
      do throws(BusError) {
        _ = try await host.systemd.stopUnit(unit)
        break
      } catch {
        if !error.isUnreachable {
          Log.warning("\(unit): cannot be stopped: \(error.message)")
          break
        }
      }
      await EventLoop.main.sleep(100_000)
    }
    guard let name = UnitName(unit), let path = cgroupPath(name) else { return }
    let events = CgroupEvents(path: path)
    guard events.isPopulated else { return }
    // What systemd's job left behind.
    if let cgroup = try? Cgroup(path: path) { try? cgroup.write("cgroup.kill", "1") }
    events.watch()
    await events.untilEmpty()
  }

  /// A main process that somebody moved out of its scope has no limits any more, and would live beside the next one.
  private func killEscaped(_ record: GenerationRecord) {
    guard record.bootID == ProcessIdentity.bootID, let pid = record.mainPID,
      let ticks = record.mainStartTicks, let pidfd = ProcessIdentity.open(pid, startTicks: ticks),
      !ProcessIdentity.isZombie(pid)
    else { return }
    Log.warning("\(record.unit): process \(pid) lives outside its scope and is killed.")
    _ = linux_pidfd_send_signal(pidfd.raw, SIGKILL)
  }
}
