internal import PodAPI

extension Context {
  /// Runs start, stop, restart, reset, freeze, thaw or wake. Success prints nothing except on a terminal.
  func perform(_ action: Client.PodAction, on pod: String) throws {
    let state = try client().perform(action, on: pod)
    present(json: .object([("pod", .string(pod)), ("state", .string(state))])) { style in
      style.isTerminal
        ? "\(style.dot(state: state)) \(pod) is \(style.paint(state, Colour(state: state))).\n" : ""
    }
  }

  /// Runs recycle or evict. A dry run always prints its plan, because it does nothing else.
  func perform(_ action: Client.PlannedAction, on pod: String, dryRun: Bool) throws {
    let reply = try client().perform(action, on: pod, dryRun: dryRun)
    let (state, plan) = (reply.state, reply.plan)
    present(
      json: .object([
        ("pod", .string(pod)), ("state", .string(state)), ("plan", .optional(plan)),
        ("dry_run", .bool(dryRun)),
      ])
    ) { style in
      if dryRun { return plan + "\n" }
      guard style.isTerminal else { return "" }
      return "\(style.dot(state: state)) \(pod) is \(style.paint(state, Colour(state: state))): \(plan)\n"
    }
  }
}
