import PodAPI

extension ManagerMethods {
  func listTiers(_ call: Nothing) async throws(Refusal) -> [TierRow] {
    try await views.tierRows()
  }

  func getStatus(_ call: Nothing) async throws(Refusal) -> Properties {
    try await views.status(startedAt: startedAt)
  }

  func getMetrics(_ call: Nothing) async throws(Refusal) -> MetricsReply {
    MetricsReply(try await views.metrics(startedAt: startedAt), await host.usage.rows())
  }

  func checkInvariants(_ call: Nothing) async throws(Refusal) -> Violations {
    Violations(try await InvariantCheck(host: host).violations())
  }

  func reload(_ call: Nothing) async throws(Refusal) -> Nothing {
    do throws(Configuration.Failure) { try host.reloadSettings() } catch { throw Refusal(error) }
    return Nothing()
  }

  func rollout(_ call: RolloutCall) async throws(Refusal) -> RolloutResult {
    try await host.rollouts.run(Self.request(call)) { signals.rolloutProgressed($0) }
  }

  nonisolated static func request(_ call: RolloutCall) throws(Refusal) -> RolloutRequest {
    guard let request = call.request else {
      throw Refusal(
        .invalidSettings, "a rollout's mode is restart, resume or revert, not '\(call.mode.prefix(20))'")
    }
    return request
  }
}
