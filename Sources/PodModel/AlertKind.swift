/// The kinds of event for which an administrator can install a service: the instance names of
/// `podctl-alert@KIND.service` (podctl-alert(7)). They never change.
public enum AlertKind: String, Sendable, CaseIterable {
  /// A pod failed too often: its start limit is hit.
  case crashLoop = "crash-loop"
  /// A pod was killed because it reached its own memory limit, or because the host ran out of memory.
  case oom
  /// A pod did not answer its probe and is replaced.
  case health
  /// A launch failed before the program ran.
  case launchFailed = "launch-failed"
  /// A pod's program exited or was killed by a signal, although nobody had asked it to end.
  case end
  /// A pod was not ready in time.
  case startTimeout = "start-timeout"
  /// Connections were still open when the time for a drain was over.
  case drainCut = "drain-cut"
  /// A rollout stopped at a pod that did not become ready or did not stay ready.
  case rolloutStopped = "rollout-stopped"
  /// The packet filter rules for pods were removed.
  case firewallLost = "firewall-lost"
  /// The limits in the kernel differed from those of the tier.
  case limitsMismatch = "limits-mismatch"
  /// A pod leaks memory and is replaced.
  case leak
  /// Most pods of a workload leak, which points to its program; none is replaced.
  case leakVersion = "leak-version"
  /// A pod stalls at its memory limit and is replaced.
  case stall
  /// A pod was stopped because the host was short of memory.
  case pressure

  /// The service that podd starts for such an event, if it is installed.
  public var unit: String { "podctl-alert@\(rawValue).service" }
}
