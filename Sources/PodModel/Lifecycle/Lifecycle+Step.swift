public import Time

extension Lifecycle {
  /// One step. `random` in 0..<1 spreads out restarts that would fall together.
  public mutating func handle(
    _ event: Event, now: LoopTime, random: Double, policy: Policy
  ) -> [Effect] {
    var effects = step(event, now, random, policy)
    // Held connections are released as soon as a generation serves, and refused when none will.
    if isHeld && (state == .ready || !state.hasScope) {
      isHeld = false
      effects.append(.release)
    }
    return effects
  }

  private mutating func step(
    _ event: Event, _ now: LoopTime, _ random: Double, _ policy: Policy
  ) -> [Effect] {
    switch (state, event) {
    // Coming.
    case (.cold, .start), (.stopped, .start), (.backoff, .start), (.backoff, .reset),
      (.cold, .restart), (.stopped, .restart), (.backoff, .restart):
      return launch(now, extra: [.cancelTimer])
    case (.crashLoop, .restart), (.crashLoop, .reset):
      startLimit.reset()
      backoff.reset()
      return launch(now, extra: [.recordStartLimitHit(false)])
    case (.backoff, .backoffElapsed):
      restarts += 1
      return launch(now)
    case (.starting, .ready(of: .current)):
      backoffOfHost.reset()
      enter(.ready, now)
      return [.cancelTimer, .resolveReady, .announce]

    // Dying.
    case (.starting, .launchFailed(let reason, of: .current)), (.starting, .ended(let reason, of: .current)):
      return [.recordEnd(reason), .cancelTimer] + died(reason, now, random, policy)
    case (.ready, .ended(let reason, of: .current)), (.frozen, .ended(let reason, of: .current)):
      forgiveEarlierEnds(now, policy)
      return [.recordEnd(reason)] + (inherit(reason, now, policy) ?? died(reason, now, random, policy))
    case (.draining, .ended(let reason, of: .current)):
      // By itself: nobody has asked it to stop yet.
      stopCause = reason
      return [.cancelTimer] + stopped(reason, now, random, policy)
    case (.stopping, .ended(let reason, of: .current)), (.stopping, .launchFailed(let reason, of: .current)):
      return stopped(reason, now, random, policy)

    // Being stopped.
    case (.starting, .startTimeout(of: .current, let reason)):
      return stopScope(reason, then: .backoff, now)
    case (.ready, .failed(let reason)):
      forgiveEarlierEnds(now, policy)
      return stopScope(reason, then: .backoff, now)
    case (.ready, .stop(let cause, let next, drains: true)) where other == nil:
      return drain(cause, then: next, now) + want(next)
    case (.starting, .stop(let cause, let next, drains: true)) where other == nil:
      // It may already serve although podd does not know it yet.
      return [.cancelTimer] + drain(cause, then: next, now) + [.resolveFailed(cause)] + want(next)
    case (.starting, .stop(let cause, let next, _)), (.ready, .stop(let cause, let next, _)):
      return stopScope(cause, then: next, now) + want(next)
    case (.frozen, .stop(let cause, let next, drains: true)) where other == nil:
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
    case (.stopping, .start) where awaitsOther, (.stopping, .restart) where awaitsOther:
      awaitsOther = false
      return launch(now)
    case (.draining, .start), (.draining, .restart), (.stopping, .start), (.stopping, .restart):
      afterStop = .launch
      return want(.launch)
    case (.cold, .stop(_, let next, _)), (.backoff, .stop(_, let next, _)),
      (.crashLoop, .stop(_, let next, _)):
      let extra = state == .crashLoop ? [Effect.recordStartLimitHit(false)] : []
      return [.cancelTimer] + extra + want(next) + rest(next, now)

    // Being replaced.
    case (.ready, .restart(let cause, let handover)):
      return replace(cause, handover, now)
    case (.frozen, .restart(let cause, let handover)):
      return replaceFrozen(cause, handover, now)
    case (.ready, .ready(of: .other)):
      guard case .successor(let cause) = other else { return [] }
      other = .predecessor(cause)
      lastEnd = cause
      enter(.ready, now)
      return [.cancelTimer, .promote, .stopOther, .resolveReady, .announce]
    case (.ready, .startTimeout(of: .other, let reason)):
      guard case .successor = other else { return [] }
      other = .failing(reason)
      lastEnd = reason
      return [.stopOther, .resolveFailed(reason)]
    case (.ready, .successorMayNotOverlap):
      guard case .successor(let cause) = other else { return [] }
      // Nothing of it runs yet. Those who wait for the restart go on waiting.
      other = nil
      return [.cancelTimer, .recordOtherEnd(cause)] + replace(cause, .queue, now)
    case (_, .ended(let reason, of: .other)), (_, .launchFailed(let reason, of: .other)):
      return otherEnded(reason, now)

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

  private mutating func launch(_ now: LoopTime, extra: [Effect] = []) -> [Effect] {
    enter(.starting, now)
    return extra + want(.launch) + [.announce, .launch]
  }

  // MARK: Stopping

  private mutating func stopScope(_ cause: EndReason, then next: AfterStop, _ now: LoopTime) -> [Effect] {
    let isAwaited = state == .starting || isReplacing || queuedRestart != nil
    var stops: [Effect] = [.cancelTimer, .stopScope]
    if isReplacing {
      other = .failing(cause)
      stops.append(.stopOther)
    }
    stopCause = cause
    afterStop = next
    queuedRestart = nil
    enter(.stopping, now)
    return stops + [.announce] + (isAwaited ? [.resolveFailed(cause)] : [])
  }

  private mutating func drain(_ cause: EndReason, then next: AfterStop, _ now: LoopTime) -> [Effect] {
    stopCause = cause
    afterStop = next
    isHeld = true
    enter(.draining, now)
    return [.announce, .drain]
  }

  /// The end that a stop brought about.
  private mutating func stopped(
    _ observed: EndReason, _ now: LoopTime, _ random: Double, _ policy: Policy
  ) -> [Effect] {
    if awaitsOther { return [] }
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
  private mutating func rest(_ next: AfterStop, _ now: LoopTime) -> [Effect] {
    queuedRestart = nil
    backoffUntil = nil
    if other != nil {
      afterStop = next
      awaitsOther = true
      if state != .stopping { enter(.stopping, now) }
      return [.stopOther, .announce]
    }
    awaitsOther = false
    enter(next == .stopped ? .stopped : .cold, now)
    return [.announce]
  }

  // MARK: Two generations

  /// Whether a successor is on its way.
  private var isReplacing: Bool {
    if case .successor = other { true } else { false }
  }

  private mutating func replace(_ cause: EndReason, _ handover: Handover, _ now: LoopTime) -> [Effect] {
    switch (other, handover) {
    case (.successor, _): return []
    case (.predecessor, _), (.failing, _):
      // Never three: it waits for its turn.
      queuedRestart = Restart(cause: cause, handover: handover)
      return []
    case (nil, .overlap):
      other = .successor(cause)
      return want(.launch) + [.announce, .launchSuccessor]
    case (nil, .queue): return stopScope(cause, then: .launch, now) + want(.launch)
    case (nil, .drain): return drain(cause, then: .launch, now) + want(.launch)
    }
  }

  private mutating func replaceFrozen(
    _ cause: EndReason, _ handover: Handover, _ now: LoopTime
  ) -> [Effect] {
    let isDrained = handover == .drain && other == nil
    let stop = isDrained ? drain(cause, then: .launch, now) : stopScope(cause, then: .launch, now)
    return [.thawScope] + stop + want(.launch)
  }

  private mutating func otherEnded(_ observed: EndReason, _ now: LoopTime) -> [Effect] {
    guard let ended = other else { return [] }
    other = nil
    switch ended {
    case .successor:
      lastEnd = observed
      return [.cancelTimer, .recordOtherEnd(observed), .resolveFailed(observed), .announce] + next(now)
    // Callers that waited for it got their reply when it was given up.
    case .failing(let reason): return [.recordOtherEnd(reason), .announce] + next(now)
    case .predecessor(let cause):
      return [.recordOtherEnd(cause == .unknownAdopted ? observed : cause)] + next(now)
    }
  }

  /// Continues what had to wait for the end of the other generation.
  private mutating func next(_ now: LoopTime) -> [Effect] {
    if awaitsOther && state == .stopping { return rest(afterStop, now) }
    guard state == .ready || state == .frozen, let queued = queuedRestart else { return [] }
    queuedRestart = nil
    return state == .frozen
      ? replaceFrozen(queued.cause, queued.handover, now) : replace(queued.cause, queued.handover, now)
  }

  /// The current generation ended while its successor was being launched: the successor is now the current one.
  private mutating func inherit(_ reason: EndReason, _ now: LoopTime, _ policy: Policy) -> [Effect]? {
    switch other {
    case .successor:
      other = nil
      count(reason, now, policy)
      enter(.starting, now)
      return [.promote, .announce]
    case .failing(let cause):
      // Its end brings the next launch.
      other = nil
      stopCause = cause
      afterStop = .backoff
      count(reason, now, policy)
      enter(.stopping, now)
      return [.cancelTimer, .promote, .announce]
    case .predecessor, nil: return nil
    }
  }

  // MARK: Restarting

  private mutating func count(_ reason: EndReason, _ now: LoopTime, _ policy: Policy) {
    lastEnd = reason
    startLimit.count(at: now, policy, isOfHost: reason.isOfHost)
  }

  /// A generation that has been ready for long enough proves that the program works.
  private mutating func forgiveEarlierEnds(_ now: LoopTime, _ policy: Policy) {
    guard now >= since + policy.stableAfter else { return }
    backoff.reset()
    startLimit.reset()
  }

  /// A pause before the next launch, until too many ends fall into one interval.
  private mutating func died(
    _ reason: EndReason, _ now: LoopTime, _ random: Double, _ policy: Policy
  ) -> [Effect] {
    count(reason, now, policy)
    queuedRestart = nil
    let failed: [Effect] = [.resolveFailed(reason)]
    // podd ended while it stopped the pod, and the next podd found it still running.
    if wanted != .run { return failed + rest(wanted == .stopped ? .stopped : .cold, now) }
    // A fault of the host never leads to a hold.
    if !reason.isOfHost && startLimit.isHit(policy) {
      enter(.crashLoop, now)
      return failed + [.recordStartLimitHit(true), .announce]
    }
    let pause = pause(after: reason, random, policy)
    enter(.backoff, now)
    backoffUntil = now + pause
    return failed + [.armBackoff(pause), .announce]
  }

  private mutating func pause(after reason: EndReason, _ random: Double, _ policy: Policy) -> Microseconds {
    if !reason.isLaunchFailureOfHost { backoffOfHost.reset() }
    guard reason.isOfHost else { return backoff.next(policy, random: random) }
    // No limit ends these launches, so there is a pause also with RestartSec=0.
    var ofHost = policy
    ofHost.firstDelay = max(policy.firstDelay, policy.firstDelayOfHost)
    guard reason.isLaunchFailureOfHost else { return backoff.next(ofHost, random: random) }
    ofHost.maxDelay = max(ofHost.firstDelay, min(policy.maxDelay, policy.maxDelayOfHost))
    return backoffOfHost.next(ofHost, random: random)
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

  private mutating func enter(_ next: PodState, _ now: LoopTime) {
    state = next
    since = now
    if next != .backoff { backoffUntil = nil }
  }
}
