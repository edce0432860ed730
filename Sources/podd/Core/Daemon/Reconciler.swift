import Cgroup
import Glibc
import Linux
import PodModel
import PodStore
import Systemd

/// Makes what runs and what is on record agree, at podd's start and after the bus came back. Idempotent. The store says
/// what should be, PID 1 and the cgroups say what is; ``Reconcile`` decides.
@LoopActor
struct Reconciler {
  let host: PodHost
  let sources = Sources()

  init(host: PodHost) {
    self.host = host
  }

  /// Workloads by their version, each parsed once for all pods that were launched with it.
  final class Sources {
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

  /// Generations that podd watches itself, because they start, run or end, are left to that: there are none at podd's
  /// start, and nearly all are such after the bus came back.
  func reconcile() async throws(Failure) -> Outcome {
    var outcome = Outcome()
    // Also those that end while the store and PID 1 are asked.
    var inHand = unitsInHand
    var open: [GenerationRecord]
    let workloads: [UnitName: WorkloadVersion]
    var scopes: [(unit: UnitName, activeState: ActiveState?)]
    do throws(StoreError) {
      (open, workloads) = try await host.store.run { store throws(StoreError) in
        (try store.openGenerations(), try store.workloadsOfOpenGenerations())
      }
    } catch {
      throw .store(error)
    }
    do throws(BusError) {
      scopes = try await ownScopes()
    } catch {
      throw .bus(error)
    }
    inHand.formUnion(unitsInHand)
    open.removeAll { inHand.contains($0.unit) }
    scopes.removeAll { inHand.contains($0.unit) }
    var records: [UnitName: GenerationRecord] = [:]
    for record in open { records[record.unit] = record }
    // Others stop those for which podd has not written down why.
    for unit in scopes.filter({ $0.activeState == .deactivating }).map(\.unit)
    where records[unit]?.stopCause == nil {
      records[unit]?.stopCause = .unknownAdopted
    }
    let rows = open.map { Reconcile.Row(unit: $0.unit, bootID: $0.bootID, isReady: $0.readyAt != nil) }
    for action in Reconcile.decide(
      rows: rows, scopes: found(scopes, records, workloads), boot: ProcessIdentity.bootID)
    {
      switch action {
      case .adopt(let unit):
        await takeOver(unit, records[unit], workloads, as: .current, &outcome)
      case .relieve(let unit):
        await takeOver(unit, records[unit], workloads, as: .other, &outcome)
      case .stop(let unit, let owned):
        clear(unit, end: owned ? records[unit].unseenEnd : nil)
        if !owned { outcome.orphans += 1 }
      case .resetFailed(let unit):
        // It fails when PID 1 has forgotten the unit meanwhile, which is as good.
        try? await host.systemd.resetFailed(unit.description)
      case .end(let unit):
        outcome.ended += 1
        // The end of one that is being stopped is recorded when that is done.
        if host.strayScopes.contains(unit) { break }
        if let record = records[unit] { killEscaped(record) }
        endUnseen(unit, records[unit].unseenEnd)
      }
    }
    return outcome
  }

  /// The scopes that PID 1 knows and that podd may stop: those named as a generation is, in the slice of a tier's pods.
  private func ownScopes() async throws(BusError) -> [(unit: UnitName, activeState: ActiveState?)] {
    let live = LiveScopes.paths()
    var own: [(unit: UnitName, activeState: ActiveState?)] = []
    for scope in try await host.systemd.scopesNamedAsPods() {
      // One without a cgroup is empty, or in another slice, and PID 1 knows which; there are few of them.
      if live[scope.unit] == nil, !ControlGroup.isPodsSlice(await host.systemd.slice(ofScope: scope.unit)) {
        continue
      }
      own.append(scope)
    }
    return own
  }

  private func takeOver(
    _ unit: UnitName, _ record: GenerationRecord?, _ workloads: [UnitName: WorkloadVersion],
    as position: Lifecycle.Position,
    _ outcome: inout Outcome
  ) async {
    if let record, let pod = host.pods[unit.pod],
      await adopt(pod, record, workloads[unit], as: position)
    {
      outcome.adopted += 1
      return
    }
    // It has ended since the cgroups were read.
    clear(unit, end: record.unseenEnd)
    outcome.ended += 1
  }

  private var unitsInHand: Set<UnitName> {
    host.strayScopes.units.union(host.pods.values.flatMap(\.machine.openUnits))
  }

  /// What PID 1 has loaded, and what runs of the generations on record although PID 1 forgot it (facts 8).
  private func found(
    _ listed: [(unit: UnitName, activeState: ActiveState?)], _ records: [UnitName: GenerationRecord],
    _ workloads: [UnitName: WorkloadVersion]
  ) -> [Reconcile.Scope] {
    var scopes = listed.map { unit, activeState in
      let record = records[unit]
      return Reconcile.Scope(
        unit: unit, hasMainProcess: record.map { hasMainProcess($0, workloads[$0.unit]) } ?? false,
        isFailed: activeState == .failed,
        isPopulated: record.map { isPopulated($0.unit) } ?? (activeState != .failed))
    }
    let units = Set(listed.map(\.unit))
    for record in records.values where !units.contains(record.unit) && isPopulated(record.unit) {
      scopes.append(
        Reconcile.Scope(
          unit: record.unit, hasMainProcess: hasMainProcess(record, workloads[record.unit]),
          isFailed: false, isPopulated: true))
    }
    return scopes
  }

  private func hasMainProcess(_ record: GenerationRecord, _ launched: WorkloadVersion?) -> Bool {
    cgroupPath(record.unit).flatMap { mainProcess(record, $0, launched) } != nil
  }

  func isPopulated(_ unit: UnitName) -> Bool {
    guard let path = cgroupPath(unit) else { return false }
    return CgroupEvents.isPopulated(path)
  }

  /// Nil for a pod that is no longer on record.
  func cgroupPath(_ unit: UnitName) -> String? {
    host.pods[unit.pod].map { Launcher.cgroupPath(unit, tier: $0.record.tier) }
  }

  func endUnseen(_ unit: UnitName, _ reason: EndReason) {
    ScopeJournalFields.withdraw(unit)
    let now = Clock.wall
    host.pods[unit.pod]?.endedUnseen(reason)
    if let tier = host.pods[unit.pod]?.record.tier { host.figures.ended(tier: tier, reason) }
    host.report(.endedUnseen(host.pods[unit.pod]?.subject, unit: unit, reason: reason))
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

  /// Continues the stops that were under way when podd ended, and stops what should not run.
  func resumeStops() {
    for pod in host.pods.values { pod.handle(.resume) }
  }

  /// Launches what should run, a bounded number at a time.
  func launchWanted() {
    for pod in host.launchOrder(host.pods.values) where pod.lifecycle.isDueForLaunch { pod.handle(.start) }
  }

  /// References on units end with the connection (facts 3), so they are taken at podd's start and after the bus came back.
  /// A few at a time, because PID 1 has other work; nobody waits for them.
  func referenceAll() {
    let slots = AsyncSemaphore(16)
    for unit in host.pods.values.flatMap(\.machine.openUnits) {
      loopTask {
        await slots.acquire()
        defer { slots.release() }
        do throws(BusError) {
          try await self.host.systemd.referenceUnit(unit.description)
        } catch {
          // The scope is gone, which its pidfd reports too.
          Log.debug("\(unit): \(error.message), ignoring")
        }
      }
    }
  }
}
