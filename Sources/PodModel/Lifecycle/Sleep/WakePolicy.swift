public import Time

/// What podd does with connections to a pod whose program does not run: they may wake it.
public enum WakePolicy: String, Sendable, CaseIterable {
  /// podd does nothing: the program accepts the connections, or the kernel refuses them.
  case closed
  /// A connection waits and wakes the pod.
  case wakes
  /// A connection waits: the pod is being launched or thawed.
  case keeps

  /// The policy for a pod that is now in `state`.
  ///
  /// Every cold pod with users listens, whatever stopped it, so nothing has to be remembered across a restart of podd
  /// or a reboot. A pod without users, one that was stopped by hand, and one that hit its start limit refuse
  /// connections. A pod in backoff is not woken either, because connections must not launch a broken pod in a loop.
  public func next(_ state: PodState, users: Int) -> WakePolicy {
    switch state {
    case .cold: users > 0 ? .wakes : .closed
    case .frozen: .wakes
    case .starting, .draining, .stopping: self == .closed ? .closed : .keeps
    case .ready, .backoff, .crashLoop, .stopped: .closed
    }
  }

  /// The policy for a pod that podd found in `state` when it was started again: a connection may have woken it, and
  /// waits.
  public func adopted(in state: PodState) -> WakePolicy {
    self == .closed && state == .starting ? .keeps : self
  }

  /// Whether the connections that wait for a pod in `state` are refused: a connection that has waited as long as a start
  /// may take, and one that waits because of a fault of the host that lasts: the first launches after it are tried so
  /// soon that waiting is better, but a full disk is not expected to have room then.
  ///
  /// - Parameter pause: how long the pod stays in `backoff`.
  public static func refusesWaiting(_ state: PodState, lastEnd: EndReason?, pause: Microseconds) -> Bool {
    guard state == .backoff, let lastEnd else { return false }
    if case .launchFailed(.store, _) = lastEnd { return true }
    return lastEnd == .startTimeout || lastEnd.isLaunchFailureOfHost && pause >= lastingFault
  }

  /// A pause after which a fault of the host counts as one that lasts.
  private static let lastingFault: Microseconds = .seconds(2)

  /// Whether podd still needs the listening socket that it holds for a pod in `state`. What queues there while
  /// nobody is going to take it up is to be refused.
  public func needsSocket(_ state: PodState) -> Bool {
    switch state {
    case .stopped, .crashLoop, .cold: self != .closed
    default: true
    }
  }
}
