import PodAPI
import PodModel
import Systemd

extension ManagerMethods {
  func listPods(_ call: Nothing) async throws(Refusal) -> [PodRow] {
    views.podRows()
  }

  func listUsage(_ call: Nothing) async throws(Refusal) -> [UsageRow] {
    await host.usage.rows()
  }

  func listRequests(_ call: Nothing) async throws(Refusal) -> CountedRequests {
    let rows = host.pods.values.lazy.filter { $0.requests.total > 0 }
      .map { RequestCountsRow(pod: "\($0.name)", counts: $0.requests) }
    return CountedRequests(
      until: host.figures.requestsCounted(at: EventLoop.main.now()), pods: rows.sorted { $0.pod < $1.pod })
  }

  func getPod(_ call: PodCall) async throws(Refusal) -> Properties {
    try await views.properties(of: try host.pod(named: call.pod))
  }

  func getHistory(_ call: HistoryCall) async throws(Refusal) -> [MemoryMinute] {
    try await host.memoryHistory.minutes(
      ofPod: call.pod, since: call.since, until: call.until, limit: call.limit)
  }

  func startPod(_ call: PodCall) async throws(Refusal) -> StateReply {
    let pod = try host.pod(named: call.pod)
    try await host.start(pod)
    return StateReply(of: pod)
  }

  func stopPod(_ call: PodCall) async throws(Refusal) -> StateReply {
    let pod = try host.pod(named: call.pod)
    try await host.stop(pod)
    return StateReply(of: pod)
  }

  func restartPod(_ call: PodCall) async throws(Refusal) -> StateReply {
    let pod = try host.pod(named: call.pod)
    try await host.restart(pod)
    return StateReply(of: pod)
  }

  func resetPod(_ call: PodCall) async throws(Refusal) -> StateReply {
    let pod = try host.pod(named: call.pod)
    try await host.reset(pod)
    return StateReply(of: pod)
  }

  func freezePod(_ call: PodCall) async throws(Refusal) -> StateReply {
    let pod = try host.pod(named: call.pod)
    try await host.freeze(pod)
    return StateReply(of: pod)
  }

  func thawPod(_ call: PodCall) async throws(Refusal) -> StateReply {
    let pod = try host.pod(named: call.pod)
    try await host.thaw(pod)
    return StateReply(of: pod)
  }

  func wakePod(_ call: PodCall) async throws(Refusal) -> StateReply {
    let pod = try host.pod(named: call.pod)
    try await host.wake(pod)
    return StateReply(of: pod)
  }

  func recyclePod(_ call: PlanCall) async throws(Refusal) -> PlanReply {
    let pod = try host.pod(named: call.pod)
    let plan = try await host.recycle(pod, dryRun: call.dryRun)
    return PlanReply(state: pod.state.rawValue, plan: plan)
  }

  func evictPod(_ call: PlanCall) async throws(Refusal) -> PlanReply {
    let pod = try host.pod(named: call.pod)
    let plan = try await host.evict(pod, dryRun: call.dryRun)
    return PlanReply(state: pod.state.rawValue, plan: plan)
  }
}

extension StateReply {
  @LoopActor fileprivate init(of pod: Pod) {
    self.init(state: pod.state.rawValue)
  }
}
