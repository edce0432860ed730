extension GenerationLife {
  /// What one event leads to.
  struct Step: Equatable {
    var effects: [Effect] = []
    /// For the pod; nil: it concerns the generation only.
    var report: Report?

    init(_ effects: Effect..., report: Report? = nil) {
      self.effects = effects
      self.report = report
    }
  }

  /// What a pod has to know of its generation.
  enum Report: Equatable {
    case launchFailed(EndReason)
    case ready
    case startTimeout(EndReason)
    case unhealthy(EndReason)
    case drained, frozen, thawed
    /// Its main process has ended and others live on.
    case leftovers(EndReason)
    case ended(EndReason)
    case workersComplete
  }

  /// One step. `closesFirewall`: whether the end of the generation closes the firewall for the pod.
  mutating func handle(_ event: Event, as position: Lifecycle.Position, closesFirewall: Bool) -> Step {
    switch (phase, event) {
    // Launching.
    case (.waiting, .cancelled) where isCancelled:
      phase = .ended(nil)
      return Step(report: .ended(.operator))
    case (.beginning(var beginning), .written(let unit)):
      self.unit = unit
      // Somebody else wrote to the database; what pod-launch was prepared for is not what is on record.
      let isExpected = unit == beginning.unit
      beginning.writing = isExpected ? .done : .failed(LaunchFailure(stage: .store, error: "ESTALE"))
      return settle(beginning)
    case (.beginning(var beginning), .parked):
      beginning.parking = .done
      return settle(beginning)
    case (.beginning(var beginning), .failed(let failure)):
      if failure.stage == .store {
        beginning.writing = .failed(failure)
      } else {
        beginning.parking = .failed(failure)
      }
      return settle(beginning)
    case (.openingFirewall, .firewallOpened):
      return advance(to: .startingScope, .armStartTimeout(.ofWorkload), .startScope)
    case (.startingScope, .scopeStarted): return advance(to: .verifyingLimits, .verifyLimits)
    case (.verifyingLimits, .limitsVerified): return advance(to: .releasing, .release)
    case (.releasing, .programRuns): return programRuns(as: position)
    case (.openingFirewall, .failed(let failure)), (.startingScope, .failed(let failure)),
      (.verifyingLimits, .failed(let failure)), (.releasing, .failed(let failure)):
      return abandon(failure)
    case (.abandoning(let failure), .abandoned): return abandoned(failure, closesFirewall)

    // Coming to serve.
    case (.running, .ready), (.beginning, .ready), (.openingFirewall, .ready), (.startingScope, .ready),
      (.verifyingLimits, .ready), (.releasing, .ready):
      return becameReady(as: position)
    case (_, .readinessRecorded) where readiness == .recording: return Step(report: .ready)
    case (_, .workers(let count)):
      workers = count
      return Step()
    case (.running, .workersComplete): return Step(report: .workersComplete)
    case (.waiting, .startTimeout), (.ended, .startTimeout): return Step()
    case (_, .startTimeout): return Step(report: .startTimeout(reasonOfTimeout))

    // Serving.
    case (_, .unhealthy(let reason)) where hasScope: return Step(report: .unhealthy(reason))
    case (_, .drained) where hasScope: return Step(report: .drained)
    case (_, .frozen) where hasScope: return Step(report: .frozen)
    case (_, .thawed) where hasScope: return Step(report: .thawed)

    // Ending.
    case (.running, .mainProcessEnded(let mayBeInherited)):
      guard mayBeInherited && !isStopping else { return mainProcessEnded() }
      phase = .seekingHeir
      return Step(.askWhetherActive)
    case (.seekingHeir, .scopeIsActive(let isActive)):
      return isActive && !isStopping ? Step(.inherit) : mainProcessEnded()
    case (.seekingHeir, .inherited(true)):
      phase = .running
      return Step(.recordStart)
    case (.seekingHeir, .inherited(false)): return mainProcessEnded()
    case (.ending(nil), .evidence(let evidence, let scopeIsEmpty)):
      phase = .ending(evidence)
      return scopeIsEmpty ? ended(evidence, closesFirewall) : Step(report: .leftovers(evidence.reason))
    case (.ending(let evidence?), .scopeEmpty): return ended(evidence, closesFirewall)

    default: return Step()
    }
  }

  // MARK: Launching

  /// It has its turn.
  mutating func begin(_ unit: UnitName, _ traits: Traits?, isRestart: Bool) -> [Effect] {
    self.traits = traits
    let turn = Effect.armStartTimeout(.beforeScope)
    guard traits != nil else {
      return [turn] + abandon(LaunchFailure(stage: .settings, error: "EINVAL")).effects
    }
    phase = .beginning(Beginning(unit: unit))
    // The store first: its disk is waited for longest.
    return [turn, .write(unit, isRestart: isRestart), .park(unit)]
  }

  /// Once both have come to an end. What the store has to say counts for more.
  private mutating func settle(_ beginning: Beginning) -> Step {
    phase = .beginning(beginning)
    switch (beginning.writing, beginning.parking) {
    case (nil, _), (_, nil): return Step()
    case (.failed(let failure), _), (.done, .failed(let failure)): return abandon(failure)
    case (.done, .done): return advance(to: .openingFirewall, .openFirewall)
    }
  }

  private mutating func advance(to next: Phase, _ effects: Effect...) -> Step {
    if isCancelled { return abandon(nil) }
    phase = next
    var step = Step()
    step.effects = effects
    return step
  }

  private mutating func abandon(_ failure: LaunchFailure?) -> Step {
    let hasScope: Bool
    switch phase {
    case .startingScope, .verifyingLimits, .releasing: hasScope = true
    default: hasScope = false
    }
    phase = .abandoning(failure)
    return Step(.abandon(hasScope: hasScope))
  }

  /// A launch that was cancelled ends with the reason of the stop, not as a failed launch.
  private mutating func abandoned(_ failure: LaunchFailure?, _ closesFirewall: Bool) -> Step {
    phase = .ended(nil)
    var step = Step(report: failure.map { .launchFailed($0.reason) } ?? .ended(.operator))
    if isCancelled {
      // The host took so long that podd gave up.
      if case .launchFailed(let stage, let error)? = cancellation?.cause {
        step.effects.append(.reportLaunchFailure(LaunchFailure(stage: stage, error: error)))
      }
    } else if let failure {
      step.effects.append(.reportLaunchFailure(failure))
    }
    if closesFirewall { step.effects.append(.closeFirewall) }
    step.effects.append(.endTurn)
    return step
  }

  /// Until the program runs, podd waits for the host: the disk, systemd, the journal. Then the timeout says nothing about
  /// the program.
  private var reasonOfTimeout: EndReason {
    let stage: LaunchStage
    switch phase {
    case .beginning(let beginning): stage = beginning.writing == nil ? .store : .spawn
    case .openingFirewall: stage = .firewall
    case .startingScope: stage = .scope
    case .verifyingLimits: stage = .limits
    case .releasing: stage = .release
    // The stage that failed is reported when nothing is left of the launch; until then this is the reason.
    case .abandoning(let failure?): return failure.reason
    case .waiting, .abandoning(nil), .running, .seekingHeir, .ending, .ended: return .startTimeout
    }
    return LaunchFailure(stage: stage, error: "ETIMEDOUT").reason
  }

  private mutating func programRuns(as position: Lifecycle.Position) -> Step {
    phase = .running
    var step = Step(.watch, .recordStart)
    if let cancellation {
      // The stop came too late to keep it from running.
      step.effects += stopScope(cancellation)
    } else if readiness == .said {
      let ready = becameReady(as: position)
      step.effects += ready.effects
      step.report = ready.report
    } else {
      step.effects.append(.awaitReadiness)
    }
    step.effects.append(.endTurn)
    return step
  }

  // MARK: Readiness

  /// A successor's readiness is on the disk before the one that serves is stopped: were podd to end in between, the
  /// next one would know which of the two to keep.
  private mutating func becameReady(as position: Lifecycle.Position) -> Step {
    switch (phase, position, readiness) {
    case (.running, .current, .none), (.running, .current, .said): return Step(report: .ready)
    case (.running, .other, .none), (.running, .other, .said):
      if isStopping { return Step() }
      readiness = .recording
      return Step(.recordReadiness(isAwaited: true))
    case (.running, _, _): return Step()
    default:
      readiness = .said
      return Step()
    }
  }

  // MARK: Stopping

  /// Stops it, however far it has come.
  mutating func stop(_ stop: Stop) -> [Effect] {
    switch phase {
    case .waiting: return cancel(stop)
    case .beginning, .openingFirewall, .startingScope, .verifyingLimits, .releasing:
      return cancel(stop, .killParked)
    case .abandoning: return cancel(stop)
    case .running, .seekingHeir: return stopScope(stop)
    case .ending, .ended: return []
    }
  }

  private mutating func cancel(_ stop: Stop, _ effects: Effect...) -> [Effect] {
    if isCancelled { return [] }
    isCancelled = true
    cancellation = stop
    return effects
  }

  private mutating func stopScope(_ stop: Stop) -> [Effect] {
    if isStopping { return [] }
    isStopping = true
    return recordStop(stop.cause) + [.stopUnit(isHung: stop.isHung), .watchConnections]
  }

  /// Writes down why it is being stopped, unless that is on record already. Where its connections are waited for once
  /// more, after systemd was asked already, there is no way back.
  mutating func recordStop(_ cause: EndReason?) -> [Effect] {
    guard let cause, unit != nil else { return [] }
    let record = StopRecord(cause: cause, isAsked: isStopping || stopRecord?.isAsked ?? false)
    if record == stopRecord { return [] }
    stopRecord = record
    return [.recordStop(record)]
  }

  // MARK: Ending

  private mutating func mainProcessEnded() -> Step {
    phase = .ending(nil)
    isStopping = true
    return Step(.collectEvidence)
  }

  /// The one place where the reason is concluded.
  private mutating func ended(_ evidence: EndEvidence, _ closesFirewall: Bool) -> Step {
    phase = .ended(evidence)
    var step = Step(.cleanUp, report: .ended(evidence.reason(stoppedFor: recordedStop)))
    if closesFirewall { step.effects.append(.closeFirewall) }
    return step
  }
}
