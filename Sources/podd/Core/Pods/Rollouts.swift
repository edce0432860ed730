import Linux
import PodAPI
import PodModel
import PodStore
import Systemd
import Time

/// Performs rollouts as ``Rollout`` decides: replaces the pods of a batch at the same time, and watches them while they
/// prove themselves.
@LoopActor
final class Rollouts {
  private unowned let host: PodHost
  private var underWay: Set<String> = []

  init(host: PodHost) {
    self.host = host
  }

  /// Meanwhile the tier's pods have to prove themselves.
  func isUnderWay(tier: String) -> Bool { underWay.contains(tier) }

  /// Returns when every pod was replaced; throws at the first one that does not come back, and leaves the others
  /// alone.
  func run(
    _ request: RolloutRequest, _ progress: @LoopActor (RolloutProgress) -> Void
  ) async throws(Refusal) -> RolloutResult {
    guard underWay.insert(request.tier).inserted else {
      throw Refusal(.busy, "a rollout of tier \(request.tier) is under way")
    }
    defer { underWay.remove(request.tier) }
    let pods = try await prepare(request.tier, request.mode)
    var rollout = Rollout(
      tier: request.tier, pods: pods.map(\.name),
      batchSize: request.maxParallel.map { Int($0) } ?? Rollout.defaultBatchSize)
    let chosen = Dictionary(pods.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    while let batch = rollout.nextBatch(where: { isWanted(chosen[$0]) }) {
      let members = batch.compactMap { chosen[$0] }
      for pod in members { progress(RolloutProgress(rollout, pod, state: "restarting")) }
      do throws(Rollout.Stop) {
        try await replace(members)
        try await prove(members, request.healthy ?? Rollout.defaultProof)
      } catch {
        throw await stopped(rollout, error)
      }
      for pod in members {
        rollout.countReplaced()
        progress(RolloutProgress(rollout, pod, state: pod.state.rawValue))
      }
    }
    await end(rollout, .done, failed: nil)
    host.report(.rolloutDone(rollout))
    return RolloutResult(
      replaced: UInt32(clamping: rollout.replaced), total: UInt32(clamping: rollout.total))
  }

  /// Another pod of the same name may have been made meanwhile.
  private func isWanted(_ pod: Pod?) -> Bool {
    guard let pod else { return false }
    return host.pods[pod.name] === pod && pod.lifecycle.wanted == .run
  }

  // MARK: Which pods

  private func prepare(_ name: String, _ mode: Rollout.Mode) async throws(Refusal) -> [Pod] {
    let tier: Tier
    do throws(Configuration.Failure) { tier = try host.configuration.tier(name).tier } catch {
      throw Refusal(error)
    }
    let last = try await host.ask { store throws(StoreError) in try store.rollout(ofTier: name) }
    if mode == .resume, !(last?.state.canResume ?? false) {
      throw Refusal(.invalidSettings, "no rollout of tier \(name) has stopped: there is nothing to resume")
    }
    switch mode {
    case .restart: try await host.workloadVersions.takeFiles(workload: tier.workload)
    case .revert: try await host.workloadVersions.revert(workload: tier.workload)
    case .resume: break
    }
    // A workload that cannot be launched must not stop what runs.
    let source: WorkloadSource
    do throws(Configuration.Failure) {
      source = try host.configuration.workloadSource(of: tier)
      // Pods with the previous settings are not what the caller wants.
      if mode != .revert { try host.configuration.checkFiles(ofTier: name) }
    } catch {
      throw Refusal(error)
    }
    let now = Clock.wall
    let startedAt = mode == .resume ? last?.startedAt ?? now : now
    let record = RolloutRecord(tier: name, startedAt: startedAt, state: .running)
    try await host.ask { store throws(StoreError) in try store.setRollout(record) }
    let candidates = host.pods.values.filter { $0.record.tier == name }.map(\.rolloutCandidate)
    return Rollout.pods(candidates, mode, startedAt: startedAt, version: source.version)
      .compactMap { host.pods[$0] }
  }

  // MARK: Batches

  private func replace(_ pods: [Pod]) async throws(Rollout.Stop) {
    let tasks = pods.map { pod in loopTask { await self.host.replace(pod) } }
    var stop: Rollout.Stop?
    for (pod, task) in zip(pods, tasks) {
      if let refusal = await task.value, stop == nil {
        stop = Rollout.Stop(pod: pod.name, why: refusal.message)
      }
    }
    if let stop { throw stop }
  }

  private func prove(_ pods: [Pod], _ duration: Microseconds) async throws(Rollout.Stop) {
    let proof = Rollout.Proof(of: pods.map(\.rolloutMember), for: duration, now: EventLoop.main.now())
    // Many pods are watched at once, for seconds: a few reads of memory are simpler than as many subscriptions.
    while case .wait(let pause) = try proof.check(pods.map(\.rolloutMember), now: EventLoop.main.now()) {
      await EventLoop.main.sleep(pause)
    }
  }

  // MARK: The end

  private func stopped(_ rollout: Rollout, _ stop: Rollout.Stop) async -> Refusal {
    await end(rollout, .stopped, failed: stop.description)
    host.report(.rolloutStopped(rollout, stop))
    return Refusal(.rolloutStopped, rollout.sentence(stop))
  }

  private func end(_ rollout: Rollout, _ outcome: Rollout.Outcome, failed: String?) async {
    let name = rollout.tier
    let version = version(ofTier: name)
    let stoppedAt = outcome == .stopped ? Clock.wall : nil
    do throws(StoreError) {
      try await host.store.run { store throws(StoreError) in
        guard var record = try store.rollout(ofTier: name) else { return }
        record.state = outcome
        record.failed = failed
        try store.setRollout(record)
        if let version { try store.setRolloutStopped(version, at: stoppedAt) }
      }
    } catch {
      Log.error("Cannot record the end of the rollout of tier \(name): \(error)")
    }
  }

  /// What the last batch was launched with: the files may have changed since the rollout began.
  private func version(ofTier name: String) -> WorkloadVersion? {
    (try? host.configuration.tier(name).tier).flatMap { try? host.configuration.workloadSource(of: $0) }?
      .record
  }
}

extension Pod {
  fileprivate var rolloutCandidate: Rollout.Candidate {
    Rollout.Candidate(
      pod: name, state: state, wanted: lifecycle.wanted, begunAt: current?.begunAt,
      version: current?.source?.version)
  }

  fileprivate var rolloutMember: Rollout.Member {
    Rollout.Member(
      pod: name, state: state, unit: current?.unit, stopCause: lifecycle.stopCause, lastEnd: lifecycle.lastEnd
    )
  }
}

extension RolloutProgress {
  fileprivate init(_ rollout: Rollout, _ pod: Pod, state: String) {
    self.init(
      tier: rollout.tier, done: UInt32(clamping: rollout.replaced), total: UInt32(clamping: rollout.total),
      pod: pod.name.description, state: state)
  }
}
