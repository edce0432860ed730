import PodModel
import PodStore
import Time

/// What podd keeps in memory about one pod; lost when podd dies.
final class SimulatedPod {
  let name: PodName
  /// As the store has it.
  var record: PodRecord
  var machine: PodMachine
  var generations: [PodMachine.ID: SimulatedGeneration] = [:]
  var backoffAt: LoopTime?
  /// How far a notification of its users is.
  var userWork: UserWork?
  var usersRetryAt: LoopTime?
  /// Whether it is still to be found out if an earlier podd has notified its programs.
  var needsUserCheck = false
  var isFirewallOpen = false
  /// Until then, or the next generation's readiness, or whatever comes between, nobody is refused.
  var heldUntil: LoopTime?
  /// podd's part in who connects while its program does not run.
  var wakePolicy = WakePolicy.closed
  /// Since when nobody has used it, as far as podd has looked; nil until it looks.
  var idleness: (unit: UnitName?, clock: Idleness)?
  /// Provisions that failed and are about to be undone.
  var takenBack = 0
  /// A failed provision made it.
  var wasMadeInVain = false
  /// Calls that wait for this pod, by number.
  var waiters: [Int] = []
  /// When its machine decided last.
  var decidedAt = LoopTime.zero
  var diedAt = LoopTime.zero
  var diedOfHost = false
  /// Ends for which the pod itself is to blame, as the world knows it and not as podd has concluded.
  var ownEnds: [LoopTime] = []
  /// It is being stopped because a launch took too long, and its program did not run yet.
  var timedOutOnHost = false
  /// The ends after which podd launched it again by itself, since somebody last asked.
  var relaunches: [LoopTime] = []

  init(_ record: PodRecord, now: LoopTime) {
    name = record.name
    self.record = record
    let lifecycle = Lifecycle(
      wanted: record.wanted, startLimitHit: record.crashLoopHold, lastEnd: record.lastExitReason,
      restarts: UInt64(max(0, record.restarts)), now: now)
    machine = PodMachine(record.name, lifecycle: lifecycle, lastGeneration: record.generation)
  }

  var lifecycle: Lifecycle { machine.lifecycle }
  var state: PodState { machine.lifecycle.state }
  /// The machine's current generation.
  var current: SimulatedGeneration? { machine.current.flatMap { generations[$0.id] } }
}

/// What podd holds of one generation: processes, timers, and what it has begun and not reported yet.
final class SimulatedGeneration {
  /// An effect that takes time. podd may die, and other things may happen, before its result is reported.
  enum Operation: Int {
    case strayScopes, turn, park, firewall, scope, limits, release, program, abandon, activity, evidence,
      emptyScope
  }

  let id: PodMachine.ID
  var operations: [Operation] = []
  var unit: UnitName?
  var pid: Int32?
  var ticks: UInt64 = 0
  var isAdopted = false
  /// When `startTimeout` is to be reported.
  var startDeadline: LoopTime?
  /// When the drain ends at the latest.
  var drainDeadline: LoopTime?
  /// Until its main process has ended.
  var isWatched = false
  var awaitsReadiness = false
  /// It said that it is ready before podd knew that it runs.
  var hasSpoken = false

  init(id: PodMachine.ID) { self.id = id }
}

/// One part of a notification that takes time.
enum UserWork {
  case write(Int)
  case reload(PodMachine.ID, Int)
}

/// Somebody waits until a change of a pod's users has come to its programs.
struct SimulatedDelivery {
  var pod: SimulatedPod
  var revision: Int
  var reach: PodMachine.Reach
  var until: LoopTime
  var call: Int?
  /// With whether it has.
  var rest: (Bool) throws -> Void
}

/// A client's call to podd. It ends with an answer, or with podd.
struct SimulatedCall {
  enum Kind {
    case provision(user: UserName, cold: Bool)
    case start
    case restart
    case stop
  }

  var kind: Kind
  var placed: Provisioned?
  /// The pod's program may have read its users before this one was placed.
  var isUnknown = false
  var since: LoopTime
}

/// What waits for the disk, in order.
enum StoreJob {
  case provision(call: Int, user: UserName, tier: String, cold: Bool)
  case undo(Provisioned)
  case deprovision(user: UserName)
  case suspend(user: UserName)
  case resume(user: UserName)
  case settled(user: UserName)
  case cleaned(SimulatedPod, keptAs: String?)
  case begin(SimulatedPod, PodMachine.ID, isRestart: Bool)
  case started(UnitName, pid: Int32, ticks: UInt64)
  case ready(UnitName)
  /// Reported when it is on the disk.
  case awaitedReady(SimulatedPod, PodMachine.ID, UnitName)
  case stop(UnitName, GenerationLife.StopRecord)
  case end(UnitName, EndReason)
  case wanted(SimulatedPod, Lifecycle.Wanted)
  case startLimitHit(SimulatedPod, Bool)
}

extension StoreJob {
  var brief: String {
    switch self {
    case .provision(let call, let user, _, _): "provision \(user), call \(call)"
    case .undo(let placed): "undo \(placed.user.name) on \(placed.pod.name)"
    case .deprovision(let user): "deprovision \(user)"
    case .suspend(let user): "suspend \(user)"
    case .resume(let user): "resume \(user)"
    case .settled(let user): "data of \(user) settled"
    case .cleaned(let pod, _): "\(pod.name) is clean"
    case .begin(let pod, let id, _): "\(pod.name) begins \(id)"
    case .started(let unit, let pid, _): "\(unit) started as \(pid)"
    case .ready(let unit), .awaitedReady(_, _, let unit): "\(unit) ready"
    case .stop(let unit, let record): "\(unit) is \(record.isAsked ? "stopped" : "drained"): \(record.cause)"
    case .end(let unit, let reason): "\(unit) ended: \(reason)"
    case .wanted(let pod, let wanted): "\(pod.name) wanted: \(wanted)"
    case .startLimitHit(let pod, let isHit): "\(pod.name) hit its start limit: \(isHit)"
    }
  }
}
