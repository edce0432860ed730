public import Time

/// A pod's states: `(state, event, now) → (state, effects)`.
///
/// The table in docs/lifecycle.md is the whole of it; a test compares the two cell by cell. An event that a state does
/// not know is ignored, so a late or repeated one does no harm. ``PodMachine`` routes its effects to the pod's
/// generations, and what these report to it.
public struct Lifecycle: Sendable, Equatable {
  /// What is wanted of the pod, durable across reboots.
  public enum Wanted: String, Sendable, CaseIterable {
    /// Launched when a user needs it.
    case cold
    /// Launched now, and again whenever it ends.
    case run
    /// Stopped by hand.
    case stopped
  }

  /// Restart policy.
  public struct Policy: Sendable, Equatable {
    /// The pause after the first end.
    public var firstDelay: Microseconds = .milliseconds(100)
    /// The longest pause, not counting its random part.
    public var maxDelay: Microseconds = .minutes(5)
    /// This many ends nobody asked for, within `burstInterval`, are a crash loop.
    public var burst: Int = 5
    /// The interval in which `burst` ends are counted.
    public var burstInterval: Microseconds = .minutes(1)
    /// The shortest pause after an end for which the host is at fault.
    public var firstDelayOfHost: Microseconds = .milliseconds(100)
    /// The longest pause after launches that failed because of the host, not counting its random part: the pod is to
    /// come back by itself soon after the host has. podd.conf(5) says so.
    public var maxDelayOfHost: Microseconds = .seconds(15)
    /// A generation that was ready this long proves that it works: the next delay is `firstDelay` again.
    public var stableAfter: Microseconds = .minutes(1)

    public init() {}
  }

  /// A pod has at most two generations.
  public enum Position: Sendable, Equatable {
    /// The one that is the pod.
    case current
    /// A successor or a predecessor of it.
    case other
  }

  /// What happened to the pod, or is wanted of it.
  public enum Event: Sendable, Equatable {
    /// A user, an operator or the boot wants it to run.
    case start
    /// The program never ran: pod-launch or podd says at which stage.
    case launchFailed(EndReason, of: Position = .current)
    /// The generation serves. A successor's readiness has been written to the disk before.
    case ready(of: Position)
    /// The scope is empty; the reason was concluded from the evidence.
    case ended(EndReason, of: Position = .current)
    /// The workload's settings were changed while the successor waited for its turn: it may not run next to the current
    /// generation any more.
    case successorMayNotOverlap
    /// It took too long to become ready. The reason is another one than `startTimeout` when the program had not been
    /// reached by then.
    case startTimeout(of: Position, EndReason = .startTimeout)
    /// It runs and does not work: it does not answer its probe, its workers end again and again, or its main process has
    /// ended and others live on.
    case failed(EndReason)
    /// Stop it; `drains`: its connections are waited for first.
    case stop(EndReason, then: AfterStop, drains: Bool = false)
    /// Replace the generation gracefully.
    case restart(EndReason, Handover)
    /// No connection is left, or the drain's time is over.
    case drained
    /// The pause before the next launch is over.
    case backoffElapsed
    /// An operator ends a crash loop or a pause.
    case reset
    /// An operator wants it frozen.
    case freeze
    /// The kernel says that every process of the scope is frozen, whoever asked for it.
    case frozen
    /// The kernel says that they are not frozen any more.
    case thawed
  }

  /// How a generation gives way to the next one.
  public enum Handover: String, Sendable, CaseIterable {
    /// Both listen on podd's socket for a while: the next one is ready before this one is stopped.
    case overlap
    /// podd holds the socket: connections queue in the kernel between the two.
    case queue
    /// The program binds by itself: new connections are held off and its own are waited for.
    case drain
  }

  /// What the other generation is there for.
  public enum Other: Sendable, Equatable {
    /// Being launched, to take over.
    case successor(EndReason)
    /// A successor that is being stopped before it served.
    case failing(EndReason)
    /// Replaced by the current one, and finishing what it had begun.
    case predecessor(EndReason)

    /// Why it is being launched or stopped.
    public var cause: EndReason {
      switch self {
      case .successor(let cause), .failing(let cause), .predecessor(let cause): cause
      }
    }
  }

  /// What becomes of a pod whose scope is being stopped.
  public enum AfterStop: Sendable, Equatable {
    /// It sleeps until a user needs it.
    case cold
    /// It stays stopped.
    case stopped
    /// It is launched again.
    case launch
    /// It is launched again after a backoff, as if it had ended by itself.
    case backoff
  }

  /// What is to be done about it.
  public enum Effect: Sendable, Equatable {
    /// Write down the next generation and launch it. Its TimeoutStartSec runs from when it has its turn.
    case launch
    /// Launch another generation next to the one that serves.
    case launchSuccessor
    /// Cancel the timers of the backoff and of every start.
    case cancelTimer
    /// Hold new connections and wait, at most the workload's TimeoutDrainSec=, until the open ones have ended.
    case drain
    /// Release the held connections.
    case release
    /// KillSignal, and SIGKILL to the whole scope after the workload's TimeoutStopSec.
    case stopScope
    /// The same for the other generation.
    case stopOther
    /// The current and the other generation change places.
    case promote
    case freezeScope
    case thawScope
    /// Write down why the current generation ended; it is gone.
    case recordEnd(EndReason)
    /// The same for the other generation.
    case recordOtherEnd(EndReason)
    /// Report `backoffElapsed` after this pause.
    case armBackoff(Microseconds)
    /// Write down what is wanted of the pod.
    case persist(Wanted)
    /// Write down whether launches have stopped after a crash loop.
    case recordStartLimitHit(Bool)
    /// Answer those who wait for this pod: it serves.
    case resolveReady
    /// Answer those who wait for this pod: it does not serve, and why.
    case resolveFailed(EndReason)
    /// Let others see the new state.
    case announce
  }

  public internal(set) var state: PodState
  /// The one home of what is wanted of the pod.
  public internal(set) var wanted: Wanted
  /// Why the last generation ended.
  public internal(set) var lastEnd: EndReason?
  /// Launches that replaced a generation which ended unasked.
  public internal(set) var restarts: UInt64
  /// When `state` was entered.
  public internal(set) var since: LoopTime
  /// What the other generation is there for; nil: there is none.
  public internal(set) var other: Other?
  /// When a pod in `backoff` is launched again.
  public internal(set) var backoffUntil: LoopTime?
  /// Why it is being stopped.
  public internal(set) var stopCause: EndReason?

  var afterStop: AfterStop = .cold
  var backoff = Backoff()
  /// The pauses after launches that the host kept from reaching the program. Apart from `backoff`, so that a fault of
  /// the host leaves no mark on the pod.
  var backoffOfHost = Backoff()
  var startLimit = StartLimit()
  /// In `stopping`: the current generation is gone, and its predecessor is not.
  var awaitsOther = false
  /// New connections are being held.
  var isHeld = false
  /// Asked for while a predecessor was still finishing.
  var queuedRestart: Restart?

  struct Restart: Sendable, Equatable {
    var cause: EndReason
    var handover: Handover
  }

  /// A pod as it is on record, without a generation.
  ///
  /// - Parameter startLimitHit: launches have stopped after a crash loop.
  public init(
    wanted: Wanted, startLimitHit: Bool, lastEnd: EndReason?, restarts: UInt64, now: LoopTime
  ) {
    self.wanted = wanted
    self.lastEnd = lastEnd
    self.restarts = restarts
    since = now
    state = startLimitHit ? .crashLoop : wanted == .stopped ? .stopped : .cold
  }

  /// Whether another generation is to take over from the one that serves.
  public var isBeingReplaced: Bool {
    if case .successor = other { true } else { queuedRestart != nil }
  }

  /// How long it stays in `backoff`; zero in another state.
  public var pause: Microseconds { backoffUntil.map { $0 - since } ?? .zero }

  /// Whether it is wanted to run, and nothing has been done about that yet.
  public var isDueForLaunch: Bool { wanted == .run && state == .cold }
}
