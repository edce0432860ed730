/// One pod's life as a pure machine: `(state, event, now) → (state, effects)`.
///
/// podd performs the effects and feeds back what happened. The whole of it is the table below; every
/// cell that is empty ignores its event, so a late or repeated event never harms.
///
/// | state ↓ event → | start | launchFailed | ready | ended | startTimeout | stop | restart | backoffElapsed | reset |
/// | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
/// | cold, stopped | starting | | | | | stopped | starting | | |
/// | starting | | backoff¹ | ready | backoff¹ | stopping | stopping | | | |
/// | ready | | | | backoff¹ | | stopping | stopping | | |
/// | stopping | then start²⁴ | next³ | | next³ | | then stopped² | then start² | | |
/// | backoff | starting | | | | | stopped | starting | starting | starting |
/// | crash-loop | | | | | | stopped | starting | | starting |
///
/// ¹ crash-loop when `burst` ends fell within `burstInterval`. ² the scope is already stopping; what
/// follows changes. ³ what the stop was for. ⁴ not after a start timeout: that counts as an end, however
/// many requests come meanwhile.
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
    case stop(EndReason, then: AfterStop)
    /// Stop gracefully and launch again.
    case restart(EndReason)
    /// `random` in 0..<1 spreads out restarts that fall together.
    case backoffElapsed
    case reset
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
    /// Write down the next generation and launch it.
    case launch
    case armStartTimeout
    case cancelTimer
    /// KillSignal, and SIGKILL to the whole scope after the workload's TimeoutStopSec.
    case stopScope
    case recordEnd(EndReason)
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

  public private(set) var state: PodState
  public private(set) var wanted: Wanted
  public private(set) var lastEnd: EndReason?
  /// Launches that replaced a generation which ended unasked.
  public private(set) var restarts: UInt64
  /// When `state` was entered, in the caller's clock.
  public private(set) var since: UInt64

  private var stopCause: EndReason?
  private var afterStop: AfterStop = .cold
  private var delay: UInt64 = 0
  private var recentEnds: [UInt64] = []

  public init(
    wanted: Wanted, crashLoop: Bool, lastEnd: EndReason?, restarts: UInt64, now: UInt64
  ) {
    self.wanted = wanted
    self.lastEnd = lastEnd
    self.restarts = restarts
    since = now
    state = crashLoop ? .crashLoop : wanted == .stopped ? .stopped : .cold
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

  /// One step. `random` in 0..<1 spreads out restarts that would fall together.
  public mutating func handle(
    _ event: Event, now: UInt64, random: Double, policy: Policy
  ) -> [Effect] {
    switch (state, event) {
    case (.cold, .start), (.stopped, .start), (.backoff, .start), (.backoff, .reset),
      (.cold, .restart), (.stopped, .restart), (.backoff, .restart):
      return launch(now, extra: [.cancelTimer])
    case (.crashLoop, .restart), (.crashLoop, .reset):
      recentEnds = []
      delay = 0
      return launch(now, extra: [.holdCrashLoop(false)])
    case (.backoff, .backoffElapsed):
      restarts += 1
      return launch(now)

    case (.starting, .ready):
      enter(.ready, now)
      return [.cancelTimer, .resolveReady, .announce]
    case (.starting, .launchFailed(let reason)), (.starting, .ended(let reason)):
      return [.recordEnd(reason), .cancelTimer] + died(reason, now, random, policy)
    case (.ready, .ended(let reason)):
      if now >= since + policy.stableAfter {
        delay = 0
        recentEnds = []
      }
      return [.recordEnd(reason)] + died(reason, now, random, policy)
    case (.starting, .startTimeout):
      return stopScope(.startTimeout, then: .backoff, now)

    case (.starting, .stop(let cause, let next)), (.ready, .stop(let cause, let next)):
      return stopScope(cause, then: next, now) + want(next)
    case (.ready, .restart(let cause)):
      return stopScope(cause, then: .launch, now) + want(.launch)
    case (.stopping, .stop(_, let next)):
      afterStop = next
      return want(next)
    case (.stopping, .start) where afterStop == .backoff:
      return []
    case (.stopping, .start), (.stopping, .restart):
      afterStop = .launch
      return want(.launch)
    case (.stopping, .ended(let reason)), (.stopping, .launchFailed(let reason)):
      return stopped(reason, now, random, policy)

    case (.cold, .stop(_, let next)), (.backoff, .stop(_, let next)), (.crashLoop, .stop(_, let next)):
      let wasHeld = state == .crashLoop
      enter(next == .stopped ? .stopped : .cold, now)
      return [.cancelTimer] + (wasHeld ? [.holdCrashLoop(false)] : []) + want(next) + [.announce]

    default:
      return []
    }
  }

  private mutating func launch(_ now: UInt64, extra: [Effect] = []) -> [Effect] {
    enter(.starting, now)
    return extra + want(.launch) + [.announce, .armStartTimeout, .launch]
  }

  private mutating func stopScope(_ cause: EndReason, then next: AfterStop, _ now: UInt64) -> [Effect] {
    let wasStarting = state == .starting
    stopCause = cause
    afterStop = next
    enter(.stopping, now)
    return [.cancelTimer, .stopScope, .announce] + (wasStarting ? [.resolveFailed(cause)] : [])
  }

  /// The end that a stop brought about.
  private mutating func stopped(
    _ observed: EndReason, _ now: UInt64, _ random: Double, _ policy: Policy
  ) -> [Effect] {
    let reason = stopCause ?? observed
    stopCause = nil
    lastEnd = reason
    let record = Effect.recordEnd(reason)
    switch afterStop {
    case .launch: return [record] + launch(now)
    case .backoff: return [record] + died(reason, now, random, policy)
    case .stopped:
      enter(.stopped, now)
      return [record, .announce]
    case .cold:
      enter(.cold, now)
      return [record, .announce]
    }
  }

  /// Exponential backoff with jitter, until too many ends fall into one interval.
  private mutating func died(
    _ reason: EndReason, _ now: UInt64, _ random: Double, _ policy: Policy
  ) -> [Effect] {
    lastEnd = reason
    let failed: [Effect] = [.resolveFailed(reason)]
    recentEnds = recentEnds.filter { $0 + policy.burstInterval > now } + [now]
    if recentEnds.count >= policy.burst {
      enter(.crashLoop, now)
      return failed + [.holdCrashLoop(true), .announce]
    }
    delay = delay == 0 ? policy.firstDelay : min(delay * 2, policy.maxDelay)
    enter(.backoff, now)
    let jittered = delay + UInt64(Double(delay) * 0.25 * min(max(random, 0), 1))
    return failed + [.armBackoff(jittered), .announce]
  }

  private mutating func want(_ next: AfterStop) -> [Effect] {
    let now: Wanted =
      switch next {
      case .launch, .backoff: .run
      case .stopped: .stopped
      case .cold: .cold
      }
    guard now != wanted else { return [] }
    wanted = now
    return [.persist(now)]
  }

  private mutating func enter(_ next: PodState, _ now: UInt64) {
    state = next
    since = now
  }
}
