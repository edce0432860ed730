/// What was seen when a generation ended, and the rule that turns it into one reason.
public struct EndEvidence: Sendable, Equatable {
  /// From waitid, where podd was the parent.
  public enum Exit: Sendable, Equatable {
    case exited(Int32)
    /// The signal's name without `SIG`.
    case signal(String)
  }

  public var exit: Exit?
  /// `memory.events` of the scope, `oom_kill`: how many of its processes the OOM killer took.
  public var oomKills: UInt64 = 0
  /// `memory.events.local`, `oom`: how often the scope's own limit left no other way (facts 7).
  public var ownLimitOOMs: UInt64 = 0
  /// systemd's `Result` of the scope: `success`, `oom-kill`, `timeout` …; nil when it was not to be had.
  public var unitResult: String?
  /// Whether this podd saw the generation start.
  public var adopted = false

  public init() {}

  /// The typed reason.
  public var reason: EndReason {
    if oomKills > 0 || unitResult == "oom-kill" {
      // systemd's word alone does not say whose limit it was; the own limit is the common case, and the
      // counters are missing only when the cgroup was removed before they could be read.
      return ownLimitOOMs > 0 || oomKills == 0 ? .oomOwnLimit : .oomBystander
    }
    switch exit {
    case .exited(let status): return .exited(status)
    case .signal(let name): return .signal(name)
    case nil: return .unknownAdopted
    }
  }
}
