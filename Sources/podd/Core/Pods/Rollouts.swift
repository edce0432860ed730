import Linux
import PodAPI
import PodModel
import PodStore
import Systemd

/// Graceful restarts of a tier's pods in batches, each of which has to prove itself before the next one begins.
@LoopActor
final class Rollouts {
  private static let defaultParallel = 2
  /// How long each batch has to stay ready, microseconds.
  private static let defaultHealthy: UInt64 = 10_000_000

  private unowned let host: PodHost
  private var underWay: Set<String> = []

  init(host: PodHost) {
    self.host = host
  }

  /// Returns when every pod was replaced; throws at the first one that does not come back, and leaves the others
  /// alone.
  func run(
    _ request: RolloutRequest, _ progress: @LoopActor (RolloutProgress) -> Void
  ) async throws(Refusal) -> RolloutResult {
    let name = request.tier
    guard underWay.insert(name).inserted else {
      throw Refusal(.busy, "a rollout of tier \(name) is under way")
    }
    defer { underWay.remove(name) }
    let pods = try await prepare(name, request.mode)
    let batch = request.maxParallel.map { Int($0) } ?? Self.defaultParallel
    var outcome = RolloutResult(replaced: 0, total: UInt32(clamping: pods.count))
    func report(_ pod: Pod, _ state: String) {
      progress(
        RolloutProgress(
          tier: name, done: outcome.replaced, total: outcome.total, pod: pod.name.description, state: state))
    }
    for start in stride(from: 0, to: pods.count, by: batch) {
      // A pod that was stopped or removed meanwhile is left alone.
      let members = pods[start..<min(start + batch, pods.count)].filter { pod in
        host.pods[pod.name] === pod && pod.lifecycle.wanted == .run
      }
      for pod in members { report(pod, "restarting") }
      do throws(Failure) {
        try await replace(members)
        try await prove(members, request.healthyUSec ?? Self.defaultHealthy)
      } catch {
        throw await stopped(name, error, outcome)
      }
      for pod in members {
        outcome.replaced += 1
        report(pod, pod.state.rawValue)
      }
    }
    await finish(name, outcome)
    return outcome
  }

  struct Failure: Error {
    let pod: PodName
    let why: String
  }

  // MARK: Which pods

  private func prepare(_ name: String, _ mode: RolloutRequest.Mode) async throws(Refusal) -> [Pod] {
    let tier: Tier
    do throws(Configuration.Failure) { tier = try host.configuration.tier(name).tier } catch {
      throw Refusal(error)
    }
    let last = try await host.ask { store throws(StoreError) in try store.rollout(ofTier: name) }
    if mode == .resume, last.map({ $0.state == .done }) ?? true {
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
    let now = Int64(realtimeNow())
    let startedAt = mode == .resume ? last?.startedAt ?? now : now
    let record = RolloutRecord(tier: name, startedAt: startedAt, state: .running)
    try await host.ask { store throws(StoreError) in try store.setRollout(record) }
    let all = host.pods.values.filter { $0.record.tier == name && $0.lifecycle.wanted == .run }
      .sorted { $0.name < $1.name }
    switch mode {
    case .restart: return all
    case .resume:
      return all.filter { Int64(clamping: $0.current?.begunAt ?? 0) < startedAt || $0.state != .ready }
    case .revert: return all.filter { $0.current?.source?.version != source.version || $0.state != .ready }
    }
  }

  // MARK: Batches

  private func replace(_ pods: [Pod]) async throws(Failure) {
    let tasks = pods.map { pod in loopTask { await self.host.replace(pod) } }
    var failure: Failure?
    for (pod, task) in zip(pods, tasks) {
      if let refusal = await task.value, failure == nil {
        failure = Failure(pod: pod.name, why: refusal.message)
      }
    }
    if let failure { throw failure }
  }

  /// All of them stay the same ready generation.
  private func prove(_ pods: [Pod], _ healthyUSec: UInt64) async throws(Failure) {
    let units = pods.map { $0.current?.unit }
    let deadline = EventLoop.main.now().after(healthyUSec)
    while true {
      for (pod, unit) in zip(pods, units) where pod.state != .ready || pod.current?.unit != unit {
        // A stop or a restart that somebody wanted says nothing against the pod. While it is being stopped, `lastEnd` is
        // still the end before.
        let cause = pod.lifecycle.stopCause ?? pod.lifecycle.lastEnd
        if cause?.isWanted ?? false { continue }
        let reason = PodHost.text(cause)
        throw Failure(pod: pod.name, why: "it did not stay ready (\(reason)) and is \(pod.state.rawValue)")
      }
      let now = EventLoop.main.now()
      if now >= deadline { return }
      // Many pods are watched at once, for seconds: a few reads of memory are simpler than as many subscriptions.
      await EventLoop.main.sleep(min(250_000, deadline - now))
    }
  }

  // MARK: The end

  private func finish(_ name: String, _ outcome: RolloutResult) async {
    await end(name, .done, failed: nil)
    host.report(.rolloutDone(tier: name, replaced: outcome.replaced))
  }

  private func stopped(_ name: String, _ failure: Failure, _ outcome: RolloutResult) async -> Refusal {
    let text =
      "the rollout of tier \(name) stopped at \(failure.pod) after \(outcome.replaced) of \(outcome.total) pods: "
      + failure.why
    await end(name, .stopped, failed: "\(failure.pod): \(failure.why)")
    host.report(
      .rolloutStopped(
        tier: name, at: failure.pod, replaced: outcome.replaced, of: outcome.total, why: failure.why))
    return Refusal(.rolloutStopped, text)
  }

  private func end(_ name: String, _ state: RolloutRecord.State, failed: String?) async {
    let version = version(ofTier: name)
    let stoppedAt = state == .stopped ? Int64(realtimeNow()) : nil
    do throws(StoreError) {
      try await host.store.run { store throws(StoreError) in
        guard var record = try store.rollout(ofTier: name) else { return }
        record.state = state
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
