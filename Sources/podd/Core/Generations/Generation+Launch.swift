import Glibc
import Linux
import PodModel
import PodStore
import Systemd
import Time

/// How a generation begins: from the decision to launch it to a program that runs (docs/design.md, "Launch, step by step").
extension Generation {
  /// Processors of the host, for a tier without a quota.
  private static let hostCPUs = max(1, sysconf(CInt(_SC_NPROCESSORS_ONLN)))

  func awaitStrayScopes() {
    loopTask {
      await self.host.strayScopes.waitUntilGone(self.name)
      // Only a launch that has to make room needs to know how the next generation may take over.
      let next = self.pod.machine.other == nil ? nil : self.pod.nextHandover
      self.report(.strayScopesGone(next: next))
    }
  }

  func awaitTurn() {
    loopTask {
      // Before the slot: it may take long, and other pods need not wait.
      do throws(Errno) {
        try await self.host.prepareDirectory(of: self.pod)
      } catch {
        self.directoryFailure = LaunchFailure(stage: .files, error)
      }
      await self.host.launchSlots.acquire()
      // Nothing can be launched while the bus is away, and that is no fault of the pod's.
      await self.host.systemdConnection.available()
      self.report(.turn(self.life == nil ? nil : self.readSettings()))
    }
  }

  /// Nil when they do not parse.
  private func readSettings() -> GenerationLife.Traits? {
    let tier: Tier
    let source: WorkloadSource
    do throws(Configuration.Failure) {
      tier = try host.configuration.tier(pod.record.tier).tier
      source = try host.configuration.workloadSource(of: tier)
    } catch {
      host.report(.settingsError("\(name) cannot be launched: \(error)", pod.subject.fields))
      return nil
    }
    self.tier = tier
    self.source = source
    var traits = Self.traits(of: source.workload, tier)
    traits.handover = pod.handover(of: source.workload)
    return traits
  }

  static func traits(of workload: Workload, _ tier: Tier?) -> GenerationLife.Traits {
    GenerationLife.Traits(workload, cpus: tier?.cpuCount ?? hostCPUs)
  }

  func armStartTimeout(_ timeout: GenerationLife.StartTimeout) {
    let after =
      switch timeout {
      case .beforeScope: Workload.defaultTimeout
      case .ofWorkload: workload?.timeoutStart ?? Workload.defaultTimeout
      }
    startTimer = timer(after) { $0.report(.startTimeout) }
  }

  func timer(_ after: Microseconds, _ body: @escaping @LoopActor (Generation) -> Void) -> EventSource? {
    do throws(Errno) {
      return try EventSource.timer(EventLoop.main, after: after) { [weak self] in
        LoopActor.assumeIsolated { if let self { body(self) } }
      }
    } catch {
      Log.error("\(name): \(error)")
      return nil
    }
  }

  // MARK: Beginning

  /// What it, or a further process of it, is launched with.
  func request(for unit: UnitName) -> Launcher.Request? {
    guard let tier, let workload else { return nil }
    return Launcher.Request(unit: unit, record: pod.record, tier: tier, workload: workload)
  }

  func park(_ unit: UnitName) {
    guard let request = request(for: unit) else {
      return report(.failed(LaunchFailure(stage: .settings, error: "EINVAL")))
    }
    self.request = request
    if let directoryFailure { return report(.failed(directoryFailure)) }
    loopTask {
      do throws(LaunchFailure) {
        let isAlone = self.pod.machine.generations.count == 1
        self.parked = try self.host.launcher.park(request, isAlone: isAlone)
        self.report(.parked)
      } catch {
        self.report(.failed(error))
      }
    }
  }

  /// Writes the generation down, before systemd hears of it.
  func write(_ unit: UnitName, isRestart: Bool) {
    let name = name
    let now = Clock.wall
    let createdAt = pod.record.createdAt
    let workload = source?.record
    loopTask {
      do throws(StoreError) {
        let generation = try await self.host.store.run { store throws(StoreError) in
          try store.beginGeneration(
            pod: name, createdAt: createdAt, restart: isRestart, workload: workload, now: now)
        }
        let written = UnitName(pod: name, generation: generation)
        self.unit = written
        if written != unit { Log.error("\(written) is on record where \(unit) comes next") }
        self.report(.written(written))
      } catch {
        Log.error("\(name): \(error)")
        self.report(.failed(LaunchFailure(stage: .store, error: "EIO")))
      }
    }
  }

  func openFirewall() {
    loopTask {
      do throws(LaunchFailure) {
        try await self.host.firewall.open(
          self.name, uid: self.pod.record.uid, words: self.workload?.ipAddressAllow ?? [])
        self.report(.firewallOpened)
      } catch {
        self.report(.failed(error))
      }
    }
  }

  // MARK: The scope

  func startScope() {
    step { request, parked throws(LaunchFailure) in
      self.preparedScope = try await self.host.launcher.startScope(request, parked) {
        () async throws(LaunchFailure) in try await self.writeUsersFile()
      }
      return .scopeStarted
    }
  }

  func verifyLimits() {
    step { request, _ throws(LaunchFailure) in
      guard let scope = self.preparedScope else { throw LaunchFailure(stage: .scope, error: "ENOENT") }
      try self.host.launcher.verifyLimits(of: scope, request)
      try self.host.launcher.limitBinds(of: scope, request)
      return .limitsVerified
    }
  }

  func release() {
    step { request, parked throws(LaunchFailure) in
      try await self.host.launcher.release(request, parked)
      self.started()
      return .programRuns
    }
  }

  /// One step of a launch that has its request and its parked process.
  private func step(
    _ body:
      @escaping @LoopActor (Launcher.Request, LaunchProcess) async throws(LaunchFailure) ->
      GenerationLife.Event
  ) {
    guard let request, let parked else {
      return report(.failed(LaunchFailure(stage: .spawn, error: "ESRCH")))
    }
    loopTask {
      do throws(LaunchFailure) {
        self.report(try await body(request, parked))
      } catch {
        self.report(.failed(error))
      }
    }
  }

  private func writeUsersFile() async throws(LaunchFailure) {
    do throws(UsersFile.Failure) {
      try await pod.writeUsersFile(for: self)
    } catch {
      Log.error("\(name): \(error)")
      if case .io(let errno) = error { throw LaunchFailure(stage: .users, errno) }
      throw LaunchFailure(stage: .users, error: "EINVAL")
    }
  }

  private func started() {
    guard let scope = preparedScope else { return }
    parked = nil
    preparedScope = nil
    self.scope = scope
    request = nil
    host.report(.started(pod.subject, unit: scope.unit, pid: scope.pid))
  }

  // MARK: Failing

  func abandon(hasScope: Bool) {
    loopTask {
      if let parked = self.parked {
        if hasScope, let request = self.request {
          await self.host.launcher.abandon(request, parked)
        } else {
          await self.host.launcher.abandon(parked)
        }
      }
      self.parked = nil
      self.preparedScope = nil
      self.report(.abandoned)
    }
  }

  func reportLaunchFailure(_ failure: LaunchFailure) {
    let (subject, unit) = (pod.subject, unit)
    loopTask { [host, pod] in
      let cause = await pod.cause(of: failure.reason)
      host.report(
        .launchFailed(subject, unit: unit, reason: failure.reason, stage: failure.stage, cause: cause))
    }
  }

  // MARK: Adoption

  /// The scope was found running, and its generation on record.
  func adopt(_ scope: RunningScope, _ begun: GenerationRecord, tier: Tier?, source: WorkloadSource?) {
    begunAt = begun.begunAt
    self.begun = .zero
    unit = scope.unit
    self.scope = scope
    self.tier = tier
    self.source = source
    host.report(.adopted(pod.subject, unit: scope.unit, pid: scope.pid))
  }

  // MARK: Watching

  func watch() {
    guard let scope else { return }
    scope.watchCgroup(
      onFreeze: { [weak self] isFrozen in self?.report(isFrozen ? .frozen : .thawed) },
      onEmpty: { [weak self] in self?.scopeIsEmpty() })
    host.sliceOOMs.begin(above: scope.cgroupPath)
    pressure = host.pressure.watch(pod, path: scope.cgroupPath)
    host.memory.began(self, of: pod)
    watchProcess()
  }

  func watchProcess() {
    guard let scope else { return }
    do throws(Errno) {
      try scope.watchProcess { [weak self] in
        guard let self else { return }
        self.report(.mainProcessEnded(mayBeInherited: self.workers != nil))
      }
    } catch {
      Log.error("\(name): cannot watch its main process: \(error)")
    }
  }

  /// Writes down which process it is, by which the next podd knows it again.
  func recordStart() {
    guard let scope else { return }
    let (unit, pid, ticks) = (scope.unit, scope.pid, scope.startTicks)
    let invocation = Files.linkTarget("/run/systemd/units/invocation:\(unit)") ?? ""
    let now = Clock.wall
    host.write("the start of \(unit)") { store throws(StoreError) in
      try store.generationStarted(
        unit, bootID: ProcessIdentity.bootID, invocationID: invocation, mainPID: pid, mainStartTicks: ticks,
        now: now)
    }
  }
}
