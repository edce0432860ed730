extension Lifecycle.Event {
  /// The name in docs/lifecycle.md, which `explain` shows.
  public var name: String {
    switch self {
    case .start: "start"
    case .launchFailed(_, of: .current): "launch failed"
    case .ready(of: .current): "ready"
    case .ended(_, of: .current): "ended"
    case .startTimeout(of: .current, _): "start timeout"
    case .failed: "failed"
    case .stop(_, _, let drains): drains ? "stop, draining" : "stop"
    case .restart(_, let handover): "restart, \(handover.rawValue)"
    case .drained: "drained"
    case .backoffElapsed: "backoff elapsed"
    case .reset: "reset"
    case .freeze: "freeze"
    case .frozen: "frozen"
    case .thawed: "thawed"
    case .ready(of: .other): "successor ready"
    case .startTimeout(of: .other, _): "successor timeout"
    case .successorMayNotOverlap: "successor may not overlap"
    case .ended(_, of: .other), .launchFailed(_, of: .other): "second ended"
    }
  }

  /// The reason that it brings along, if it has one.
  public var reason: EndReason? {
    switch self {
    case .launchFailed(let reason, _), .ended(let reason, _), .failed(let reason), .stop(let reason, _, _),
      .restart(let reason, _), .startTimeout(_, let reason):
      reason
    case .start, .ready, .successorMayNotOverlap, .drained, .backoffElapsed, .reset, .freeze, .frozen,
      .thawed:
      nil
    }
  }
}

extension Lifecycle.Other {
  /// The name in docs/lifecycle.md.
  public enum Kind: String, Sendable {
    case successor, failing, predecessor
  }

  /// Without the cause.
  public var kind: Kind {
    switch self {
    case .successor: .successor
    case .failing: .failing
    case .predecessor: .predecessor
    }
  }
}

extension Lifecycle.Event {
  /// Whether a launch may be its consequence.
  var mayLaunch: Bool {
    switch self {
    case .start, .restart, .reset, .backoffElapsed: true
    default: false
    }
  }
}
