import PodModel
import PodStore
import Systemd
import Time

/// Acts on leaks as ``LeakPolicy`` decides, the most urgent leak first.
@LoopActor
final class LeakWatch {
  private unowned let host: PodHost
  /// The pods that were recycled for a leak within the last day, and when.
  private var recycles: [(pod: PodName, at: LoopTime)] = []
  /// Workload versions whose leak was reported.
  private var reportedVersions: Set<String> = []

  init(_ host: PodHost) {
    self.host = host
  }

  /// Recycles by an earlier podd count, too.
  func load() async {
    let clocks = Clock.now
    let since = clocks.wall - LeakPolicy.day
    do throws(StoreError) {
      let ends = try await host.store.run { store throws(StoreError) in try store.ends(.leak, since: since) }
      // The loop's clock begins with the boot, and so does every pod: from before the boot, the last hour
      // counts.
      recycles = ends.compactMap { pod, at in
        if let at = clocks.loop(of: at) { return (pod, min(at, clocks.loop)) }
        return clocks.wall - at >= LeakPolicy.hour ? nil : (pod, .zero)
      }
    } catch {
      Log.warning("Cannot read which pods were recycled for a leak before, ignoring: \(error)")
    }
  }

  /// To be called after each round of samples.
  func decide() {
    let leaking = host.pods.values.compactMap { pod -> (Pod, Generation, RunMemory)? in
      guard let generation = pod.current, let memory = generation.memory else { return nil }
      guard memory.finding.isLeak else {
        memory.verdict = .nothing
        return nil
      }
      return (pod, generation, memory)
    }
    guard !leaking.isEmpty else {
      reportedVersions = []
      return
    }
    let now = EventLoop.main.now()
    recycles.removeAll { $0.at + LeakPolicy.day <= now }
    let alike = versionsThatLeak()
    let urgent = leaking.sorted {
      ($0.2.finding.timeToLimit ?? .infinity) < ($1.2.finding.timeToLimit ?? .infinity)
    }
    for (pod, generation, memory) in urgent where pod.state == .ready {
      act(
        pod, generation, memory,
        isOfTheVersion: generation.source.map { alike.contains($0.version) } ?? false, now)
    }
  }

  /// The workload versions of which all pods leak.
  private func versionsThatLeak() -> Set<String> {
    var findings: [String: [LeakDetector.Finding]] = [:]
    for pod in host.pods.values where pod.state == .ready {
      guard let generation = pod.current, let version = generation.source?.version,
        let memory = generation.memory
      else { continue }
      findings[version, default: []].append(memory.finding)
    }
    return Set(findings.filter { LeakSiblings.isOfTheVersion($0.value) }.keys)
  }

  private func act(
    _ pod: Pod, _ generation: Generation, _ memory: RunMemory, isOfTheVersion: Bool, _ now: LoopTime
  ) {
    var policy = LeakPolicy()
    let tier = host.configuration.policy(ofTier: pod.record.tier) ?? generation.tier
    policy.action = tier?.leakAction ?? host.settings.leakAction
    policy.recyclesPerHour = host.settings.leakRecyclesPerHour
    var situation = LeakPolicy.Situation(now: now, finding: memory.finding)
    situation.load = memory.load
    situation.isOfTheVersion = isOfTheVersion
    situation.recycles = recycles.map(\.at)
    situation.ownRecycles = recycles.filter { $0.pod == pod.name }.map(\.at)
    memory.verdict = policy.decide(situation)
    switch memory.verdict {
    case .nothing: break
    case .wait(let reason, _): log(pod, memory, reason.clause, isAlert: false)
    case .alert(.version, _): reportVersion(pod, generation, memory)
    case .alert(let reason, _): log(pod, memory, reason.clause, isAlert: true)
    case .recycle(let reason):
      if let hindrance = host.memory.hindrance(pod) {
        log(pod, memory, hindrance.clause, isAlert: reason == .due && pod.nextWorkload == nil)
      } else if !memory.replacementPause.isOver(at: now) {
        log(pod, memory, "its successor did not come, so it serves on for a while", isAlert: true)
      } else {
        recycle(pod, memory, reason, now)
      }
    }
  }

  private func recycle(_ pod: Pod, _ memory: RunMemory, _ reason: LeakPolicy.Reason, _ now: LoopTime) {
    let finding = memory.finding
    recycles.append((pod.name, now))
    memory.replacementPause.begin(at: now)
    memory.treatedLeak = finding
    host.report(.leakRecycled(pod.subject, finding, because: reason.clause))
    host.memory.replace(pod, .leak)
  }

  private func log(_ pod: Pod, _ memory: RunMemory, _ clause: String, isAlert: Bool) {
    guard memory.loggedClauses.insert(clause).inserted else { return }
    host.report(.leaks(pod.subject, memory.finding, clause, isAlert: isAlert))
  }

  private func reportVersion(_ pod: Pod, _ generation: Generation, _ memory: RunMemory) {
    guard let source = generation.source, reportedVersions.insert(source.version).inserted else { return }
    host.report(
      .versionLeaks(
        pod.subject, memory.finding, workload: source.workload.name, version: source.version))
  }
}
