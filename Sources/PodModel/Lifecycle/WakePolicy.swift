/// Who answers at the address of a pod whose program does not: podd's part in waking it on demand.
public enum WakePolicy: String, Sendable, CaseIterable {
  /// podd has no part in it: the program takes its connections, or they are refused.
  case closed
  /// Who connects waits, and the pod is woken for it.
  case wakes
  /// Who connects waits: it is on its way.
  case keeps

  /// What it is once the pod is in `state`.
  ///
  /// Every cold pod that somebody is placed on listens, whatever stopped it: that needs no memory of its own over
  /// a restart or a reboot. A pod that nobody belongs to, was stopped by hand, or is held after a crash loop refuses.
  /// One that does not come back refuses while it backs off; requests do not launch it, so that they cannot make a
  /// loop of it.
  public func next(_ state: PodState, users: Int) -> WakePolicy {
    switch state {
    case .cold: users > 0 ? .wakes : .closed
    case .frozen: .wakes
    case .starting, .draining, .stopping: self == .closed ? .closed : .keeps
    case .ready, .backoff, .crashLoop, .stopped: .closed
    }
  }

  /// Whether podd still needs the listening socket that it holds for a pod in `state`. What queues there while
  /// nobody is going to take it up is to be refused.
  public func needsSocket(_ state: PodState) -> Bool {
    switch state {
    case .stopped, .crashLoop, .cold: self != .closed
    default: true
    }
  }
}
