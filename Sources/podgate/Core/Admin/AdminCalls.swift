import Linux
import PodAPI
import PodModel

/// Performs administrators' requests with podd. What is answered is what podctl prints with `--json`, and more where other
/// programs expect it.
struct AdminCalls {
  let client: Client

  func perform(_ request: AdminRequest) throws(CallError) -> JSON {
    switch request {
    case .provision(let user, let tier, let cold):
      return try provision(user, tier, cold)
    case .deprovision(let user, let purge):
      try client.deprovision(user: user, purge: purge)
      return success([("user", .string(user.text)), ("purged", .bool(purge))])
    case .suspend(let user): return change(user, try client.suspend(user: user))
    case .resume(let user): return change(user, try client.resume(user: user))
    case .listUsers: return .array(try client.listUsersWithLastUse().map(\.json))
    case .listPods: return .array(try client.listPods().map(\.json))
    case .status:
      let properties = try client.status()
      return HostStatus(
        host: Linux.Host.name, properties, try client.listPods(), users: properties.uint("NUsers") ?? 0
      ).json
    case .healthOfAll: return health(try client.listPods())
    }
  }

  private func success(_ members: [(key: String, value: JSON)]) -> JSON {
    .object([("success", .bool(true))] + members)
  }

  private func change(_ user: UserName, _ status: String) -> JSON {
    success([("user", .string(user.text)), ("status", .string(status))])
  }

  private func provision(_ user: UserName, _ tier: String?, _ cold: Bool) throws(CallError) -> JSON {
    let placement = try client.provision(user: user, tier: tier, cold: cold)
    // A pod that has just been ready may be gone again.
    let pid = placement.unit == nil ? nil : try PodRow(client.pod(placement.pod))?.mainPID
    return success(
      placement.jsonMembers + [
        ("userId", .string(placement.user)), ("pid", .optional(pid)),
        ("sqURL", .string("http://\(placement.address):\(placement.port)")),
        ("status", .string(placement.state)),
      ])
  }

  /// A pod that sleeps is well: the next request wakes it.
  private func health(_ pods: [PodRow]) -> JSON {
    let rows = pods.map { pod -> (isHealthy: Bool, json: JSON) in
      let isHealthy = pod.state != "backoff" && pod.state != "crash-loop"
      return (
        isHealthy,
        .object([
          ("pod", .string(pod.pod)), ("tier", .string(pod.tier)), ("state", .string(pod.state)),
          ("healthy", .bool(isHealthy)), ("last_exit_reason", .optional(pod.lastExitReason)),
        ])
      )
    }
    let sick = rows.count { !$0.isHealthy }
    return success([
      ("healthy", .bool(sick == 0)), ("total", .uint(UInt64(rows.count))), ("unhealthy", .uint(UInt64(sick))),
      ("pods", .array(rows.map(\.json))),
    ])
  }
}
