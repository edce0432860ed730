import PodModel
import PodStore
import Time

/// The disk: what podd writes down, in order.
extension Performer {
  func doNextJob() throws {
    let job = jobs.removeFirst()
    let goOn: () throws -> Void
    do throws(StoreError) {
      if simulation.isDiskFull { throw .full(file: simulation.store.file) }
      goOn = try perform(job)
      simulation.note("disk: \(job.brief)")
    } catch {
      simulation.note("disk: \(job.brief) failed: \(error)")
      return try failed(job, error)
    }
    // podd may die when the disk has it, and nobody knows that yet.
    if !simulation.isCalm, simulation.random.chance(perMille: 2 * simulation.odds.deaths) {
      return simulation.crash()
    }
    try goOn()
  }

  /// Does the job and returns what follows from it in podd's memory.
  private func perform(_ job: StoreJob) throws(StoreError) -> () throws -> Void {
    let store = simulation.store
    // The simulated wall clock begins with the boot.
    let now = WallTime(sinceEpoch: simulation.world.now.sinceBoot)
    switch job {
    case .provision(let call, let user, let tier, let cold):
      let placed = try store.provision(
        user: user, tier: tier, usersPerPod: Simulation.usersPerPod[tier] ?? 1, portRange: 10_001...10_999,
        token: "\(user)-\(now.sinceEpoch.count)-\(call)", wantRunning: !cold, now: now)
      return { try self.placed(call, user, placed, cold: cold) }
    case .undo(let placed):
      try store.undoProvision(placed)
      return { try self.undone(placed) }
    case .deprovision(let user):
      let gone = try store.deprovision(user: user, purge: false, now: now)
      return { try self.deprovisioned(gone) }
    case .suspend(let user):
      let change = try store.suspend(user: user, now: now)
      return { try self.suspended(change) }
    case .resume(let user):
      let change = try store.resume(user: user, token: "\(user)-\(now.sinceEpoch.count)", now: now)
      return { try self.resumed(change) }
    case .settled(let user):
      guard let record = try? store.user(user) else { return {} }
      if record.isPurging {
        try store.forget(user: user)
      } else if record.isArriving {
        try store.dataArrived(user: user)
      } else {
        try store.dataPutAside(user: user)
      }
      return {}
    case .cleaned(let pod, let keptAs):
      let isGone = try store.podCleaned(pod.name, keptAs: keptAs, remove: pod.wasMadeInVain)
      return { try self.cleaned(pod, isGone: isGone) }
    case .begin(let pod, let id, let isRestart):
      let generation = try store.beginGeneration(
        pod: pod.name, createdAt: pod.record.createdAt, restart: isRestart, now: now)
      let unit = UnitName(pod: pod.name, generation: generation)
      simulation.openRows.insert(unit)
      return {
        let prepared = pod.generations[id]?.unit
        try self.simulation.check(
          prepared == unit, "\(prepared?.description ?? "nothing") was prepared, \(unit) is on record")
        try self.handle(.generation(id, .written(unit)), pod)
      }
    case .started(let unit, let pid, let ticks):
      try store.generationStarted(
        unit, bootID: simulation.world.bootID, invocationID: "", mainPID: pid, mainStartTicks: ticks, now: now
      )
      return {}
    case .ready(let unit):
      try store.generationReady(unit, now: now)
      return {}
    case .awaitedReady(let pod, let id, let unit):
      try store.generationReady(unit, now: now)
      simulation.readyUnits.insert(unit)
      return { try self.handle(.generation(id, .readinessRecorded), pod) }
    case .stop(let unit, let record):
      try store.setStopCause(record.cause, asked: record.isAsked, of: unit)
      return {}
    case .end(let unit, let reason):
      let expected = reason == .unknownAdopted ? try openRecord(unit).unseenEnd : reason
      let promised = simulation.promisedStops[unit] ?? reason
      let isFirst = try store.endGeneration(unit, reason: reason, now: now)
      simulation.openRows.remove(unit)
      return {
        try self.simulation.check(isFirst, "the end of \(unit) is recorded twice")
        try self.simulation.check(
          expected == reason && (reason != .unknownAdopted || promised == reason),
          "\(unit) was stopped (\(expected == reason ? promised : expected)), recorded is \(reason)")
      }
    case .wanted(let pod, let wanted):
      try store.setWanted(wanted, pod: pod.name, createdAt: pod.record.createdAt)
      return {}
    case .startLimitHit(let pod, let isHit):
      try store.setCrashLoopHold(isHit, pod: pod.name, createdAt: pod.record.createdAt)
      return {}
    }
  }

  private func failed(_ job: StoreJob, _ error: StoreError) throws {
    switch job {
    case .provision(let call, let user, _, _):
      calls[call] = nil
      endTurn(of: user)
    case .undo(let placed):
      undoEnded(placed)
      endTurn(of: placed.user.name)
    case .deprovision(let user), .suspend(let user), .resume(let user): endTurn(of: user)
    case .begin(let pod, let id, _):
      try handle(.generation(id, .failed(LaunchFailure(stage: .store, error: "EIO"))), pod)
    // podd goes on without.
    case .awaitedReady(let pod, let id, let unit):
      simulation.readyUnits.insert(unit)
      try handle(.generation(id, .readinessRecorded), pod)
    case .end(let unit, _): simulation.lostEnds.insert(unit)
    // podd logs that it could not write it down.
    case .wanted(let pod, _), .startLimitHit(let pod, _):
      if pods[pod.name] === pod { simulation.lostWishes.insert(pod.name) }
    case .stop(let unit, _): stops[unit] = nil
    // podd tries again.
    case .settled: jobs.append(job)
    case .cleaned(let pod, _): cleaning.remove(pod.name)
    case .started, .ready: break
    }
  }

  private func openRecord(_ unit: UnitName) throws(StoreError) -> GenerationRecord? {
    try simulation.store.openGenerations().first { $0.unit == unit }
  }
}
