import Linux
import PodModel
import PodStore
import Systemd
import Time

/// One generation of a pod, from the decision to launch it until its end is recorded: performs what its
/// ``GenerationLife`` decides, and reports what came of it.
///
/// Most effects take time. Each of them reports by the generation's ID; the machine ignores a report that comes too late.
@LoopActor
final class Generation {
  let id: GenerationLife.ID
  /// Owned: tasks of a generation outlive the pod's row. ``Pod`` drops its generations at their end.
  let pod: Pod
  /// Nil until it is on record.
  var unit: UnitName?
  var tier: Tier?
  /// What its workload was read from.
  var source: WorkloadSource?
  /// What it is launched with; nil before its turn, and once its program runs.
  var request: Launcher.Request?
  /// Why it cannot have its pod's directory.
  var directoryFailure: LaunchFailure?
  /// pod-launch, until the program runs.
  var parked: LaunchProcess?
  /// Its scope, before the program runs.
  var preparedScope: RunningScope?
  /// Nil until the program runs, and after its end.
  var scope: RunningScope?
  /// Why its last probe failed, once its watches are gone.
  var probeError: String?
  /// How many connections were open when its time to finish them was over.
  var cutConnections: Int?
  /// For an adopted one, as the store has it.
  var begunAt = Clock.wall
  /// The same by the loop's clock, which nobody sets; the boot, for an adopted one.
  var begun = Clock.loop
  /// Measures its start.
  var startTimer: EventSource?
  /// Measures the stop of one that hangs.
  var killTimer: EventSource?
  var liveness: Liveness?
  /// The kernel's watch on its memory pressure.
  var pressure: PressureWatch.Armed?
  /// What is known of its memory, from when its program runs.
  var memory: RunMemory?
  /// Its last memory sample.
  var sample: MemorySample?
  /// Its processes beyond the main one; nil for a workload with one.
  var workers: Workers?

  init(_ id: GenerationLife.ID, of pod: Pod) {
    self.id = id
    self.pod = pod
  }

  var host: PodHost { pod.host }
  var name: PodName { pod.name }
  var workload: Workload? { source?.workload }

  /// Nil once its end is decided.
  var life: GenerationLife? { pod.machine.position(of: id).flatMap { pod.machine[$0] } }
  /// Whether it is the pod by now.
  var isCurrent: Bool { pod.machine.current?.id == id }
  /// Whether systemd was asked to stop it, or its main process has ended.
  var isStopping: Bool { life?.isStopping ?? true }

  /// - Parameter time: When it happened.
  func report(_ event: GenerationLife.Event, at time: WallTime = Clock.wall) {
    pod.handle(.generation(id, event), at: time)
  }

  /// `awaitStrayScopes` made it, and ``Pod`` itself performs `endTurn` and `dispose`.
  func perform(_ effect: GenerationLife.Effect) {
    switch effect {
    case .awaitStrayScopes: awaitStrayScopes()
    case .awaitTurn: awaitTurn()
    case .armStartTimeout(let timeout): armStartTimeout(timeout)
    case .park(let unit): park(unit)
    case .write(let unit, let isRestart): write(unit, isRestart: isRestart)
    case .openFirewall: openFirewall()
    case .startScope: startScope()
    case .verifyLimits: verifyLimits()
    case .release: release()
    case .killParked: parked?.cancel()
    case .abandon(let hasScope): abandon(hasScope: hasScope)
    case .reportLaunchFailure(let failure): reportLaunchFailure(failure)
    case .watch: watch()
    case .recordStart: recordStart()

    case .awaitReadiness: awaitReadiness()
    case .recordReadiness(let isAwaited): recordReadiness(isAwaited: isAwaited)
    case .serve: serve()
    case .resumeService: resumeService()

    case .reload(let revision): reload(revision)
    case .signalReload: signalReload()
    case .freeze: freeze()
    case .thaw: thaw()
    case .drain: drain()
    case .recordStop(let record): recordStop(record)
    case .stopUnit(let isHung): stopUnit(isHung: isHung)
    case .watchConnections: watchConnections()

    case .askWhetherActive: askWhetherActive()
    case .inherit: inherit()
    case .collectEvidence: collectEvidence()
    case .awaitEmptyScope: awaitEmptyScope()
    case .cleanUp: cleanUp()
    case .closeFirewall: host.firewall.close(name)
    case .recordEnd(let unit, let reason, let evidence): recordEnd(of: unit, reason, evidence)
    case .endTurn, .dispose: break
    }
  }
}
