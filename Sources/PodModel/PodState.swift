/// A pod's state as users see it (podctl(1), "STATES").
public enum PodState: String, Sendable, CaseIterable {
  case cold
  case starting
  case ready
  case draining
  case stopping
  case frozen
  case backoff
  case crashLoop = "crash-loop"
  /// Stopped by hand; remembered across reboots.
  case stopped

  /// Whether a generation's scope may hold processes in this state.
  public var hasScope: Bool {
    switch self {
    case .starting, .ready, .draining, .stopping, .frozen: true
    case .cold, .backoff, .crashLoop, .stopped: false
    }
  }
}
