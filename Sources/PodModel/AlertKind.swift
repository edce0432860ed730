/// The kinds of event on which an admin can run something of theirs: the instance names of
/// `podctl-alert@KIND.service` (podctl-alert(7)). They never change.
public enum AlertKind: String, Sendable, CaseIterable {
  /// A pod ended too often and is held.
  case crashLoop = "crash-loop"
  /// A pod was killed for memory: at its own limit, or because the host ran out.
  case oom
  /// A pod did not answer its probe and is replaced.
  case health
  /// A pod's program never ran.
  case launchFailed = "launch-failed"
  /// A pod ended unasked, by exit or by a signal.
  case end
  /// A pod was not ready in time.
  case startTimeout = "start-timeout"
  /// Connections were still open when a drain's time was over.
  case drainCut = "drain-cut"
  /// A rollout stopped at a pod that did not come back.
  case rolloutStopped = "rollout-stopped"
  /// Something took the packet filter rules for pods away.
  case firewallLost = "firewall-lost"
  /// The kernel's limits were not the tier's.
  case limitsMismatch = "limits-mismatch"
  /// A pod leaks memory and is replaced.
  case leak
  /// The pods of a workload leak alike; none is replaced.
  case leakVersion = "leak-version"
  /// A pod stalls at its memory limit and is replaced.
  case stall
  /// A pod was stopped because the host was short of memory.
  case pressure

  /// The service that is started for it, where there is one.
  public var unit: String { "podctl-alert@\(rawValue).service" }
}
