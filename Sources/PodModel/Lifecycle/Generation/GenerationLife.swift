/// One generation's way from the decision to launch it until its end is recorded: `(phase, event) → (phase, effects)`.
///
/// A caller performs the effects one after the other and reports what came of them. It may report late, and in any
/// order: an event that the phase does not know is ignored. ``PodMachine`` holds the pod's generations and decides when
/// one may begin and when it is stopped.
public struct GenerationLife: Sendable, Equatable {
  /// Serial number within the pod, in memory only: a generation has no other name before it is written down.
  public struct ID: Hashable, Comparable, Sendable, CustomStringConvertible {
    let number: Int

    public var description: String { "#\(number)" }

    public static func < (left: Self, right: Self) -> Bool { left.number < right.number }
  }

  /// The properties of its workload that decide how a generation is handled.
  public struct Traits: Sendable, Equatable {
    /// How it gives way to the next generation, provided that one allows the same.
    public var handover: Lifecycle.Handover
    /// `Workers=` without the main process.
    public var furtherProcesses: Int
    /// How its program is made to read the users file again.
    public var reload: Reload

    /// By `ReloadSignal=`, by `ExecReload=`, or only by a restart.
    public enum Reload: Sendable {
      case signal, command, restart
    }

    public init(handover: Lifecycle.Handover, furtherProcesses: Int = 0, reload: Reload = .restart) {
      self.handover = handover
      self.furtherProcesses = furtherProcesses
      self.reload = reload
    }
  }

  /// Why it is being stopped, as it is on record.
  public struct StopRecord: Sendable, Equatable {
    public var cause: EndReason
    /// systemd was asked to stop it, by this podd or by an earlier one. This is never taken back.
    public var isAsked: Bool

    public init(cause: EndReason, isAsked: Bool) {
      self.cause = cause
      self.isAsked = isAsked
    }
  }

  public enum Phase: Sendable, Equatable {
    case waiting(Wait)
    /// It is being written down, while pod-launch prepares itself (decision 0011).
    case beginning(Beginning)
    case openingFirewall
    case startingScope
    case verifyingLimits
    /// pod-launch was let go, and its program does not run yet.
    case releasing
    /// The launch failed, or was cancelled (nil): its processes and its unit are being removed.
    case abandoning(LaunchFailure?)
    case running
    /// The main process has ended, and systemd is asked whether another one may take its place.
    case seekingHeir
    /// The main process has ended. Nil until the evidence is collected; then what it left behind is being stopped.
    indirect case ending(EndEvidence?)
    /// Nil: its program never ran.
    indirect case ended(EndEvidence?)
  }

  /// What a generation waits for before its launch.
  public enum Wait: Sendable, Equatable {
    /// Until no stray scope of the pod is left.
    case strayScopes
    /// Until the other generation has ended: the two may not overlap.
    case room
    /// For a launch slot and the bus.
    case turn
  }

  /// Two steps that run at the same time; both must end before the launch continues.
  public struct Beginning: Sendable, Equatable {
    enum Outcome: Sendable, Equatable {
      case done
      case failed(LaunchFailure)
    }

    /// The unit that pod-launch was prepared for.
    let unit: UnitName
    var writing: Outcome?
    var parking: Outcome?

    /// It is on record.
    public var isWritten: Bool { writing == .done }
    /// pod-launch waits for its release.
    public var isParked: Bool { parking == .done }
  }

  /// Whether the program serves.
  public enum Readiness: Sendable, Equatable {
    case none
    /// It reported READY=1 before podd knew that it runs.
    case said
    /// A successor's readiness is being written to the disk.
    case recording
    case serving
  }

  /// What a caller reports.
  public enum Event: Sendable, Equatable {
    /// Answers `awaitStrayScopes`. `next`: the handover that the current settings allow; nil: they do not parse.
    case strayScopesGone(next: Lifecycle.Handover?)
    /// Answers `awaitTurn`: it has a launch slot, and the bus is connected. Nil: the settings do not parse.
    case turn(Traits?)
    /// Answers `write`: the generation is on record.
    case written(UnitName)
    /// Answers `park`: pod-launch is prepared and waits for its release.
    case parked
    case firewallOpened
    /// The scope is up with pod-launch in it, and all files are written.
    case scopeStarted
    case limitsVerified
    /// Answers `release`: exec has succeeded.
    case programRuns
    /// Answers any effect of a launch that failed.
    case failed(LaunchFailure)
    /// Answers `abandon`: no process of it is left.
    case abandoned
    /// It was stopped while it still waited.
    case cancelled
    case startTimeout
    /// The program said so, or answered its probe.
    case ready
    /// Answers `recordReadiness(isAwaited: true)`: its readiness is on the disk, or could not be written.
    case readinessRecorded
    /// The number of its further processes that run now.
    case workers(Int)
    /// All of them were launched, or it was given up.
    case workersComplete
    /// It does not answer its probe, or its workers end again and again.
    case unhealthy(EndReason)
    /// Answers `reload`: its program has read the users file, or has the signal and reads it before anything else.
    case usersRead(Int)
    /// Answers `reload`: that failed. `next`: as in ``PodMachine/Event/replace(_:next:)``.
    case usersNotRead(next: Lifecycle.Handover?)
    /// Answers `drain`: no connection is left, or the time is over.
    case drained
    case frozen
    case thawed
    /// `mayBeInherited`: it has further processes.
    case mainProcessEnded(mayBeInherited: Bool)
    /// Answers `askWhetherActive`: true when systemd is not about to stop the scope.
    case scopeIsActive(Bool)
    /// Answers `inherit`: whether another process is the main one now.
    case inherited(Bool)
    /// Answers `collectEvidence`.
    case evidence(EndEvidence, scopeIsEmpty: Bool)
    /// Answers `awaitEmptyScope`.
    case scopeEmpty
  }

  /// What a caller has to do.
  public enum Effect: Sendable, Equatable {
    /// Wait until no stray scope of the pod is left.
    case awaitStrayScopes
    /// Wait for a launch slot, then for the bus.
    case awaitTurn
    /// Give the launch slot back.
    case endTurn
    /// Report `startTimeout` after it, instead of after what was armed before.
    case armStartTimeout(StartTimeout)
    /// Spawn pod-launch and give it its plan, while the generation is being written down.
    case park(UnitName)
    /// Write down that the generation begins. `isRestart`: it counts as a restart.
    case write(UnitName, isRestart: Bool)
    case openFirewall
    /// Let systemd make the scope; meanwhile write what must be in place before the program runs.
    case startScope
    /// Compare the limits in force with the tier's.
    case verifyLimits
    /// Let pod-launch run the program.
    case release
    /// Watch its cgroup, its main process and its memory, from now on.
    case watch
    /// Write down its main process, by which a new podd recognises it.
    case recordStart
    /// Report `ready` when it is: by its notification, or by its probe.
    case awaitReadiness
    /// Write down that it is ready. `isAwaited`: report `readinessRecorded` when that is on the disk.
    case recordReadiness(isAwaited: Bool)
    /// It serves from now on: log that, watch its health, launch its workers.
    case serve
    /// It was found serving: watch its health, take over its workers and launch what is missing.
    case resumeService
    /// Kill pod-launch; the launch steps under way end as they may.
    case killParked
    /// Remove all traces of the launch and return when no process is left. `hasScope`: systemd was asked for a scope.
    case abandon(hasScope: Bool)
    /// Log it, and raise the alert.
    case reportLaunchFailure(LaunchFailure)
    /// Write down why it is being stopped, so that a new podd can finish the stop.
    case recordStop(StopRecord)
    /// Make its program read the users file, and report `usersRead` with this revision, or `usersNotRead`.
    case reload(Int)
    /// Only send it the signal.
    case signalReload
    /// Hold new connections off and wait until its own are gone, at most TimeoutDrainSec=; then report `drained`.
    case drain
    case freeze
    case thaw
    /// Send KillSignal=, and SIGKILL to the whole scope after TimeoutStopSec=. A hung generation gets less time.
    case stopUnit(isHung: Bool)
    /// Count the connections that are still open when that time is over.
    case watchConnections
    /// Ask systemd whether the scope is active.
    case askWhetherActive
    /// Let one of its workers take the main process's place, and watch that one.
    case inherit
    /// Find out how it ended, and whether anything lives on in its scope.
    case collectEvidence
    /// Wait until no process is left in the scope.
    case awaitEmptyScope
    /// Withdraw its journal fields and drop its watches and, a moment later, its unit.
    case cleanUp
    /// Close what was opened in the firewall: no other generation of the pod needs it.
    case closeFirewall
    /// Write down why it ended, with the evidence, and log it.
    case recordEnd(UnitName, EndReason, EndEvidence?)
    /// Forget the generation: no further effect follows.
    case dispose
  }

  /// How long a launch may take.
  public enum StartTimeout: Sendable, Equatable {
    /// The default timeout, from its turn on.
    case beforeScope
    /// The workload's timeout, from when its program may begin.
    case ofWorkload
  }

  public let id: ID
  public internal(set) var phase: Phase = .waiting(.strayScopes)
  /// Nil until it is written down.
  public internal(set) var unit: UnitName?
  /// Nil until it has its turn, and where its settings did not parse.
  public internal(set) var traits: Traits?
  public internal(set) var readiness = Readiness.none
  /// To be stopped before its program ran.
  public internal(set) var isCancelled = false
  /// systemd has been asked to stop it, or its main process has ended.
  public internal(set) var isStopping = false
  /// As it is on record.
  public internal(set) var stopRecord: StopRecord?
  /// How many of its further processes run.
  public internal(set) var workers = 0
  /// The revision of the users that its program knows at least, -1 when it may know others; nil until a new podd has found
  /// that out of one that it adopted.
  var usersRead: Int?
  /// The cause of a stop that came during the launch; it is applied once the program runs.
  var cancellation: Stop?

  struct Stop: Sendable, Equatable {
    var cause: EndReason?
    var isHung: Bool
  }

  init(id: ID) { self.id = id }

  /// Nil until it has ended, and for a program that never ran.
  public var evidence: EndEvidence? {
    if case .ended(let evidence) = phase { evidence } else { nil }
  }

  /// Whether its program runs, or has left processes behind.
  public var hasScope: Bool {
    switch phase {
    case .running, .seekingHeir, .ending: true
    default: false
    }
  }

  /// Whether the firewall is open for it, or is being opened. Before that, the end of another generation closes it: this
  /// one may never come so far.
  var needsFirewall: Bool {
    switch phase {
    case .waiting, .beginning, .ended: false
    default: true
    }
  }

  /// Whether the launch has not begun, so that nothing has to be removed.
  var isCancelledBeforeItsTurn: Bool {
    if case .waiting = phase { isCancelled } else { false }
  }

  /// Why, as far as systemd was asked to stop it.
  public var recordedStop: EndReason? { stopRecord.flatMap { $0.isAsked ? $0.cause : nil } }

  /// Whether it and a generation with `next` may serve the same data for a while.
  func mayOverlap(with next: Lifecycle.Handover?) -> Bool {
    traits?.handover == .overlap && next == .overlap
  }
}
