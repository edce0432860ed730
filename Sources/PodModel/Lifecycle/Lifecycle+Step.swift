extension Lifecycle {
  /// One step. `random` in 0..<1 spreads out restarts that would fall together.
  public mutating func handle(
    _ event: Event, now: UInt64, random: Double, policy: Policy
  ) -> [Effect] {
    var effects = step(event, now, random, policy)
    // Whoever is held off is let in as soon as somebody serves, and turned away when nobody will.
    if isHeld && (state == .ready || !state.hasScope) {
      isHeld = false
      effects.append(.release)
    }
    return effects
  }

  private mutating func step(
    _ event: Event, _ now: UInt64, _ random: Double, _ policy: Policy
  ) -> [Effect] {
    switch (state, event) {
    // Coming.
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

    // Dying.
    case (.starting, .launchFailed(let reason)), (.starting, .ended(let reason)):
      return [.recordEnd(reason), .cancelTimer] + died(reason, now, random, policy)
    case (.ready, .ended(let reason)), (.frozen, .ended(let reason)):
      forgiveEarlierEnds(now, policy)
      return [.recordEnd(reason)] + (inherit(reason, now, policy) ?? died(reason, now, random, policy))
    case (.draining, .ended(let reason)):
      // Of itself: nobody has told it to stop yet.
      stopCause = reason
      return [.cancelTimer] + stopped(reason, now, random, policy)
    case (.stopping, .ended(let reason)), (.stopping, .launchFailed(let reason)):
      return stopped(reason, now, random, policy)

    // Being stopped.
    case (.starting, .startTimeout):
      return stopScope(.startTimeout, then: .backoff, now)
    case (.ready, .failed(let reason)):
      forgiveEarlierEnds(now, policy)
      return stopScope(reason, then: .backoff, now)
    case (.ready, .stop(let cause, let next, drains: true)) where beside == nil:
      return drain(cause, then: next, now) + want(next)
    case (.starting, .stop(let cause, let next, drains: true)) where beside == nil:
      // It may serve already, without podd having heard of it.
      return [.cancelTimer] + drain(cause, then: next, now) + [.resolveFailed(cause)] + want(next)
    case (.starting, .stop(let cause, let next, _)), (.ready, .stop(let cause, let next, _)):
      return stopScope(cause, then: next, now) + want(next)
    case (.frozen, .stop(let cause, let next, drains: true)) where beside == nil:
      return [.thawScope] + drain(cause, then: next, now) + want(next)
    case (.frozen, .stop(let cause, let next, _)):
      return [.thawScope] + stopScope(cause, then: next, now) + want(next)
    case (.draining, .drained):
      enter(.stopping, now)
      return [.cancelTimer, .stopScope, .announce]
    case (.draining, .stop(_, let next, _)), (.stopping, .stop(_, let next, _)):
      afterStop = next
      return want(next)
    case (.stopping, .start) where afterStop == .backoff:
      return []
    case (.stopping, .start) where awaitsBeside, (.stopping, .restart) where awaitsBeside:
      awaitsBeside = false
      return launch(now)
    case (.draining, .start), (.draining, .restart), (.stopping, .start), (.stopping, .restart):
      afterStop = .launch
      return want(.launch)
    case (.cold, .stop(_, let next, _)), (.backoff, .stop(_, let next, _)),
      (.crashLoop, .stop(_, let next, _)):
      let extra = state == .crashLoop ? [Effect.holdCrashLoop(false)] : []
      return [.cancelTimer] + extra + want(next) + rest(next, now)

    // Being replaced.
    case (.ready, .restart(let cause, let handover)):
      return replace(cause, handover, now)
    case (.frozen, .restart(let cause, .drain)) where beside == nil:
      return [.thawScope] + drain(cause, then: .launch, now) + want(.launch)
    case (.frozen, .restart(let cause, _)):
      return [.thawScope] + stopScope(cause, then: .launch, now) + want(.launch)
    case (.ready, .successorReady):
      guard case .successor(let cause) = beside else { return [] }
      beside = .predecessor(cause)
      lastEnd = cause
      enter(.ready, now)
      return [.cancelTimer, .promote, .stopBeside, .resolveReady, .announce]
    case (.ready, .successorTimeout):
      guard case .successor = beside else { return [] }
      beside = .failing(.startTimeout)
      lastEnd = .startTimeout
      return [.stopBeside, .resolveFailed(.startTimeout)]
    case (_, .besideEnded(let reason)):
      return besideEnded(reason, now)

    // Sleeping.
    case (.ready, .freeze) where !isReplacing: return [.freezeScope]
    case (.ready, .frozen) where !isReplacing:
      enter(.frozen, now)
      return [.announce]
    case (.frozen, .thawed):
      enter(.ready, now)
      return [.resolveReady, .announce]
    case (.frozen, .start): return [.thawScope]

    default:
      return []
    }
  }

  private mutating func launch(_ now: UInt64, extra: [Effect] = []) -> [Effect] {
    enter(.starting, now)
    return extra + want(.launch) + [.announce, .launch]
  }

  // MARK: Stopping

  private mutating func stopScope(_ cause: EndReason, then next: AfterStop, _ now: UInt64) -> [Effect] {
    let isAwaited = state == .starting || isReplacing || queuedRestart != nil
    var stops: [Effect] = [.cancelTimer, .stopScope]
    if isReplacing {
      beside = .failing(cause)
      stops.append(.stopBeside)
    }
    stopCause = cause
    afterStop = next
    queuedRestart = nil
    enter(.stopping, now)
    return stops + [.announce] + (isAwaited ? [.resolveFailed(cause)] : [])
  }

  private mutating func drain(_ cause: EndReason, then next: AfterStop, _ now: UInt64) -> [Effect] {
    stopCause = cause
    afterStop = next
    isHeld = true
    enter(.draining, now)
    return [.announce, .drain]
  }

  /// The end that a stop brought about.
  private mutating func stopped(
    _ observed: EndReason, _ now: UInt64, _ random: Double, _ policy: Policy
  ) -> [Effect] {
    if awaitsBeside { return [] }
    let reason = stopCause ?? observed
    stopCause = nil
    lastEnd = reason
    let record = Effect.recordEnd(reason)
    switch afterStop {
    case .launch: return [record] + launch(now)
    case .backoff: return [record] + died(reason, now, random, policy)
    case .stopped, .cold: return [record] + rest(afterStop, now)
    }
  }

  /// To `cold` or `stopped`, once nothing of the pod is left.
  private mutating func rest(_ next: AfterStop, _ now: UInt64) -> [Effect] {
    queuedRestart = nil
    backoffUntil = nil
    if beside != nil {
      afterStop = next
      awaitsBeside = true
      if state != .stopping { enter(.stopping, now) }
      return [.stopBeside, .announce]
    }
    awaitsBeside = false
    enter(next == .stopped ? .stopped : .cold, now)
    return [.announce]
  }

  // MARK: Two generations

  /// Whether a successor is on its way.
  private var isReplacing: Bool {
    if case .successor = beside { true } else { false }
  }

  private mutating func replace(_ cause: EndReason, _ handover: Handover, _ now: UInt64) -> [Effect] {
    switch (beside, handover) {
    case (.successor, _): return []
    case (.predecessor, _), (.failing, _):
      // Never three: it waits for its turn.
      queuedRestart = Restart(cause: cause, handover: handover)
      return []
    case (nil, .overlap):
      beside = .successor(cause)
      return want(.launch) + [.announce, .launchSuccessor]
    case (nil, .queue): return stopScope(cause, then: .launch, now) + want(.launch)
    case (nil, .drain): return drain(cause, then: .launch, now) + want(.launch)
    }
  }

  private mutating func besideEnded(_ observed: EndReason, _ now: UInt64) -> [Effect] {
    guard let ended = beside else { return [] }
    beside = nil
    switch ended {
    case .successor:
      lastEnd = observed
      return [.cancelTimer, .recordBesideEnd(observed), .resolveFailed(observed), .announce] + next(now)
    // Whoever waited for it was answered when it was given up.
    case .failing(let reason): return [.recordBesideEnd(reason), .announce] + next(now)
    case .predecessor(let cause):
      return [.recordBesideEnd(cause == .unknownAdopted ? observed : cause)] + next(now)
    }
  }

  /// What waited for the second generation to be gone.
  private mutating func next(_ now: UInt64) -> [Effect] {
    if awaitsBeside && state == .stopping { return rest(afterStop, now) }
    guard state == .ready, let queued = queuedRestart else { return [] }
    queuedRestart = nil
    return replace(queued.cause, queued.handover, now)
  }

  /// The one that serves has died while its successor was on its way: the successor is the pod now.
  private mutating func inherit(_ reason: EndReason, _ now: UInt64, _ policy: Policy) -> [Effect]? {
    switch beside {
    case .successor:
      beside = nil
      count(reason, now, policy)
      enter(.starting, now)
      return [.promote, .announce]
    case .failing(let cause):
      // Its end brings the next launch.
      beside = nil
      stopCause = cause
      afterStop = .backoff
      count(reason, now, policy)
      enter(.stopping, now)
      return [.cancelTimer, .promote, .announce]
    case .predecessor, nil: return nil
    }
  }

  // MARK: Restarting

  private mutating func count(_ reason: EndReason, _ now: UInt64, _ policy: Policy) {
    lastEnd = reason
    recentEnds = recentEnds.filter { $0 + policy.burstInterval > now }
    // A disk that is full, or a bus that is away, is no fault of the pod's.
    if !reason.isOfHost { recentEnds.append(now) }
  }

  /// A generation that has been ready for long enough proves that the program works.
  private mutating func forgiveEarlierEnds(_ now: UInt64, _ policy: Policy) {
    guard now >= since + policy.stableAfter else { return }
    delay = 0
    recentEnds = []
  }

  /// Exponential backoff with jitter, until too many ends fall into one interval.
  private mutating func died(
    _ reason: EndReason, _ now: UInt64, _ random: Double, _ policy: Policy
  ) -> [Effect] {
    count(reason, now, policy)
    queuedRestart = nil
    let failed: [Effect] = [.resolveFailed(reason)]
    // Its stop was under way when podd died, and the next one found it running still.
    if wanted != .run { return failed + rest(wanted == .stopped ? .stopped : .cold, now) }
    if recentEnds.count >= policy.burst {
      enter(.crashLoop, now)
      return failed + [.holdCrashLoop(true), .announce]
    }
    delay = delay == 0 ? policy.firstDelay : min(delay * 2, policy.maxDelay)
    enter(.backoff, now)
    let jittered = delay + UInt64(Double(delay) * 0.25 * min(max(random, 0), 1))
    backoffUntil = now + jittered
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
    if next != .backoff { backoffUntil = nil }
  }
}
