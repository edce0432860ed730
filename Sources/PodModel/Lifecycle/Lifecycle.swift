/// One pod's life as a pure machine: `(state, event, now) → (state, effects)`.
///
/// podd performs the effects and feeds back what happened. The whole of it is the table in docs/lifecycle.md,
/// with which a test compares this code cell by cell. An event that a state does not know is ignored, so a
/// late or repeated one never harms.
public struct Lifecycle: Sendable, Equatable {
  /// What is wanted of the pod, durable across reboots.
  public enum Wanted: String, Sendable, CaseIterable {
    /// Launched when a user needs it.
    case cold
    case run
    /// Stopped by hand.
    case stopped
  }

  /// Restart policy; times in microseconds.
  public struct Policy: Sendable, Equatable {
    public var firstDelay: UInt64 = 100_000
    public var maxDelay: UInt64 = 300_000_000
    /// This many ends nobody asked for, within `burstInterval`, are a crash loop.
    public var burst: Int = 5
    public var burstInterval: UInt64 = 60_000_000
    /// A generation that was ready this long proves that it works: the next delay is `firstDelay` again.
    public var stableAfter: UInt64 = 60_000_000

    public init() {}
  }

  public enum Event: Sendable, Equatable {
    /// A user, an operator or the boot wants it to run.
    case start
    /// The program never ran: pod-launch or podd says at which stage.
    case launchFailed(EndReason)
    case ready
    /// The scope is empty; the reason was worked out from the evidence.
    case ended(EndReason)
    case startTimeout
    /// It runs and does not work: it does not answer its probe, its workers end again and again, or its main process has
    /// ended and others live on.
    case failed(EndReason)
    case stop(EndReason, then: AfterStop, drains: Bool = false)
    /// Replace the generation gracefully.
    case restart(EndReason, Handover)
    /// No connection is left, or the drain's time is over.
    case drained
    case backoffElapsed
    case reset
    case freeze
    /// The kernel says that every process of the scope is frozen, whoever asked for it.
    case frozen
    case thawed
    /// The generation that was launched beside this one serves.
    case successorReady
    case successorTimeout
    /// The second generation, on its way in or out, was not launched or has ended.
    case besideEnded(EndReason)
  }

  /// How a generation gives way to the next one.
  public enum Handover: String, Sendable, CaseIterable {
    /// Both listen on podd's socket for a while: the next one is ready before this one is told to stop.
    case overlap
    /// podd holds the socket: connections queue in the kernel between the two.
    case queue
    /// The program binds by itself: new connections are held off and its own are waited for.
    case drain
  }

  /// A second generation of the pod.
  public enum Beside: Sendable, Equatable {
    /// Being launched, to take over.
    case successor(EndReason)
    /// Being stopped before it came to serve.
    case failing(EndReason)
    /// Relieved, and finishing what it had begun.
    case predecessor(EndReason)

    /// Why it comes, or goes.
    public var cause: EndReason {
      switch self {
      case .successor(let cause), .failing(let cause), .predecessor(let cause): cause
      }
    }
  }

  /// What becomes of a pod whose scope is being stopped.
  public enum AfterStop: Sendable, Equatable {
    case cold
    case stopped
    case launch
    /// As if it had died by itself.
    case backoff
  }

  public enum Effect: Sendable, Equatable {
    /// Write down the next generation and launch it. Its TimeoutStartSec runs from when it has its turn.
    case launch
    /// The same beside the one that serves.
    case launchSuccessor
    case cancelTimer
    /// Hold new connections off and wait, for at most the workload's TimeoutDrainSec, until its own are gone.
    case drain
    /// New connections need not be held off any longer.
    case release
    /// KillSignal, and SIGKILL to the whole scope after the workload's TimeoutStopSec.
    case stopScope
    case stopBeside
    /// The second generation and this one change places.
    case promote
    case freezeScope
    case thawScope
    case recordEnd(EndReason)
    case recordBesideEnd(EndReason)
    /// Microseconds.
    case armBackoff(UInt64)
    case persist(Wanted)
    case holdCrashLoop(Bool)
    /// Tell those who wait for this pod that it serves.
    case resolveReady
    /// Tell them that it does not, and why.
    case resolveFailed(EndReason)
    case announce
  }

  public internal(set) var state: PodState
  public internal(set) var wanted: Wanted
  public internal(set) var lastEnd: EndReason?
  /// Launches that replaced a generation which ended unasked.
  public internal(set) var restarts: UInt64
  /// When `state` was entered, in the caller's clock.
  public internal(set) var since: UInt64

  /// A second generation, on its way in or out.
  public internal(set) var beside: Beside?
  /// When a pod in `backoff` is launched again, in the caller's clock.
  public internal(set) var backoffUntil: UInt64?

  /// Why it is being stopped.
  public internal(set) var stopCause: EndReason?
  var afterStop: AfterStop = .cold
  var delay: UInt64 = 0
  var recentEnds: [UInt64] = []
  /// In `stopping`: this generation is gone, and the one before it is not.
  var awaitsBeside = false
  /// New connections are held off.
  var isHeld = false
  /// Asked for while a predecessor was still finishing.
  var queuedRestart: Restart?

  struct Restart: Sendable, Equatable {
    var cause: EndReason
    var handover: Handover
  }

  public init(
    wanted: Wanted, crashLoop: Bool, lastEnd: EndReason?, restarts: UInt64, now: UInt64
  ) {
    self.wanted = wanted
    self.lastEnd = lastEnd
    self.restarts = restarts
    since = now
    state = crashLoop ? .crashLoop : wanted == .stopped ? .stopped : .cold
  }

  /// Whether another generation is to take over from the one that serves.
  public var isBeingReplaced: Bool {
    if case .successor = beside { true } else { queuedRestart != nil }
  }

  /// The generation on record had ended while nobody watched.
  public mutating func endedUnseen(_ reason: EndReason) {
    lastEnd = reason
  }

  /// A scope found running after podd restarted.
  public mutating func adopt(ready: Bool, since: UInt64) {
    state = ready ? .ready : .starting
    self.since = since
  }

  /// An earlier generation found running beside the adopted one: podd ended in the middle of a handover.
  ///
  /// - Parameter cause: why it was to go; `.unknownAdopted` when that is not on record.
  public mutating func adoptPredecessor(_ cause: EndReason) {
    beside = .predecessor(cause)
  }

  /// What an adopted pod is to be told when podd ended in the middle of stopping it, or before; nil: it runs on.
  ///
  /// - Parameters:
  ///   - cause: why it is being stopped; `.unknownAdopted` when by others than podd. Nil: it is not.
  ///   - drains: whether its connections are to be waited for first.
  public func resumption(_ cause: EndReason?, drains: Bool) -> Event? {
    switch (wanted, cause) {
    case (.stopped, _): .stop(.operator, then: .stopped, drains: drains)
    case (.cold, let cause): .stop(cause ?? .idle, then: .cold, drains: drains)
    case (.run, let cause?) where cause.isWanted: .stop(cause, then: .launch, drains: drains)
    // Nobody waits for the connections of one that hangs.
    case (.run, let cause?): .stop(cause, then: .backoff, drains: drains && cause == .unknownAdopted)
    case (.run, nil): nil
    }
  }
}
