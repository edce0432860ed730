/// The kinds of alert for which an administrator can provide a service: the instance names of
/// `podctl-alert@KIND.service` (podctl-alert(7)). They never change.
public enum AlertKind: String, Sendable, CaseIterable {
  /// A pod ended too often and hit its start limit.
  case crashLoop = "crash-loop"
  /// A pod was killed for memory: at its own limit, or because the host ran out.
  case oom
  /// A pod did not answer its probe and is replaced.
  case health
  /// A pod's program could not be started.
  case launchFailed = "launch-failed"
  /// A pod ended by itself, by exit or by a signal.
  case end
  /// A pod was not ready in time.
  case startTimeout = "start-timeout"
  /// Connections were still open when the time for a drain was over.
  case drainCut = "drain-cut"
  /// A rollout stopped at a pod that did not become ready.
  case rolloutStopped = "rollout-stopped"
  /// The packet filter rules for pods have been removed.
  case firewallLost = "firewall-lost"
  /// The limits in force differed from the tier's.
  case limitsMismatch = "limits-mismatch"
  /// A pod leaks memory and is replaced.
  case leak
  /// All pods of a workload leak; none is replaced.
  case leakVersion = "leak-version"
  /// A pod stalls at its memory limit and is replaced.
  case stall
  /// A pod was stopped because the host was short of memory.
  case pressure

  /// The service that is started for it, if it exists.
  public var unit: String { "podctl-alert@\(rawValue).service" }
}
