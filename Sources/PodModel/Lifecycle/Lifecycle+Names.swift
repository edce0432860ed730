extension Lifecycle.Event {
  /// As docs/lifecycle.md calls it.
  public var name: String {
    switch self {
    case .start: "start"
    case .launchFailed: "launch failed"
    case .ready: "ready"
    case .ended: "ended"
    case .startTimeout: "start timeout"
    case .failed: "failed"
    case .stop(_, _, let drains): drains ? "stop, draining" : "stop"
    case .restart(_, let handover): "restart, \(handover.rawValue)"
    case .drained: "drained"
    case .backoffElapsed: "backoff elapsed"
    case .reset: "reset"
    case .freeze: "freeze"
    case .frozen: "frozen"
    case .thawed: "thawed"
    case .successorReady: "successor ready"
    case .successorTimeout: "successor timeout"
    case .besideEnded: "second ended"
    }
  }

  /// The reason that it brings along, if it has one.
  public var reason: EndReason? {
    switch self {
    case .launchFailed(let reason), .ended(let reason), .failed(let reason), .stop(let reason, _, _),
      .restart(let reason, _),
      .besideEnded(let reason):
      reason
    case .startTimeout, .successorTimeout: .startTimeout
    case .start, .ready, .drained, .backoffElapsed, .reset, .freeze, .frozen, .thawed, .successorReady: nil
    }
  }
}

extension Lifecycle.Beside {
  /// As docs/lifecycle.md calls them.
  public enum Kind: String, Sendable {
    case successor, failing, predecessor
  }

  public var kind: Kind {
    switch self {
    case .successor: .successor
    case .failing: .failing
    case .predecessor: .predecessor
    }
  }
}
