import PodModel
import PodStore

/// One generation in the simulated podd's hands, as podd's Run.
final class SimulatedRun {
  /// Where a launch stands. podd may die, and other things may happen, between any two.
  enum Launch: Equatable {
    case waitingForItsTurn
    /// The generation is being written down.
    case beginning
    case spawning(UnitName)
    case startingScope(UnitName, Int32)
    case releasing(UnitName, Int32)
    case awaitingProgram(UnitName, Int32)
  }

  struct Running {
    var unit: UnitName
    var pid: Int32
    var ticks: UInt64
    var isAdopted: Bool
  }

  var launch: Launch?
  var running: Running?
  /// Begun in the store and without an end there.
  var unit: UnitName?
  var handover = Lifecycle.Handover.queue
  /// When it is given up.
  var startDeadline: UInt64?
  var isCancelled = false
  /// Why it is being stopped, as far as that is known.
  var stopCause: EndReason?
  var isStopAskedOnRecord = false
  var recordedStop: EndReason? { isStopAskedOnRecord ? stopCause : nil }
  /// A stop job is with PID 1.
  var isStopping = false
  /// The main process has ended; what it left behind is being stopped.
  var clearingUp: EndEvidence?
  /// Its readiness is being written down.
  var isRelieving = false

  init(launch: Launch?) { self.launch = launch }

  var heldProcess: Int32? {
    switch launch {
    case .startingScope(_, let pid), .releasing(_, let pid), .awaitingProgram(_, let pid): pid
    case .waitingForItsTurn, .beginning, .spawning, nil: nil
    }
  }
}

/// What podd keeps in memory about one pod; lost when podd dies.
final class SimulatedPod {
  let name: PodName
  var record: PodRecord
  var lifecycle: Lifecycle
  var own: SimulatedRun?
  var beside: SimulatedRun?
  var backoffAt: UInt64?
  var drainDeadline: UInt64?
  /// Until then, or the next generation's readiness, or whatever comes between, nobody is refused.
  var heldUntil: UInt64?
  /// podd's part in who connects while its program does not run.
  var wakePolicy = WakePolicy.closed
  /// Provisions that failed and are about to be undone.
  var takenBack = 0
  /// Its row is gone.
  var isForgotten = false
  /// Calls that wait for this pod, by number.
  var waiters: [Int] = []
  var diedAt: UInt64 = 0
  var diedOfHost = false
  /// The ends after which podd launched it again by itself, since somebody last asked.
  var relaunches: [UInt64] = []

  init(_ record: PodRecord, now: UInt64) {
    name = record.name
    self.record = record
    lifecycle = Lifecycle(
      wanted: record.wanted, crashLoop: record.crashLoopHold, lastEnd: record.lastExitReason,
      restarts: UInt64(max(0, record.restarts)), now: now)
  }

  var state: PodState { lifecycle.state }
  var runs: [SimulatedRun] { [own, beside].compactMap { $0 } }
  var openUnits: [UnitName] { runs.compactMap(\.unit) }
}

/// A client's call to podd. It ends with an answer, or with podd.
struct SimulatedCall {
  enum Kind {
    case provision(user: String, cold: Bool)
    case start
    case restart
    case stop
  }

  var kind: Kind
  var placed: Provisioned?
  var since: UInt64
}

/// What waits for the disk, in order.
enum StoreJob {
  case provision(call: Int, user: String, tier: String, cold: Bool)
  case undo(Provisioned)
  case deprovision(user: String)
  case settled(user: String)
  case begin(SimulatedPod, SimulatedRun)
  case started(UnitName, pid: Int32, ticks: UInt64)
  case ready(UnitName)
  /// The successor's, which takes over once it is on the disk.
  case relieve(SimulatedPod, SimulatedRun, UnitName)
  case stopCause(UnitName, EndReason, asked: Bool)
  case end(UnitName, EndReason)
  case wanted(PodName, Lifecycle.Wanted)
  case hold(PodName, Bool)
}

extension StoreJob {
  var brief: String {
    switch self {
    case .provision(let call, let user, _, _): "provision \(user), call \(call)"
    case .undo(let placed): "undo \(placed.user.name) on \(placed.pod.name)"
    case .deprovision(let user): "deprovision \(user)"
    case .settled(let user): "data of \(user) settled"
    case .begin(let pod, _): "\(pod.name) begins"
    case .started(let unit, let pid, _): "\(unit) started as \(pid)"
    case .ready(let unit), .relieve(_, _, let unit): "\(unit) ready"
    case .stopCause(let unit, let cause, let asked): "\(unit) is \(asked ? "stopped" : "drained"): \(cause)"
    case .end(let unit, let reason): "\(unit) ended: \(reason)"
    case .wanted(let name, let wanted): "\(name) wanted: \(wanted)"
    case .hold(let name, let held): "\(name) held: \(held)"
    }
  }
}
