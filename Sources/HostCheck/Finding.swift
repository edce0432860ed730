/// One thing that a host lacks: what, and how to mend it. podd refuses to start with the same words
/// that `podctl doctor` prints.
public struct Finding: Sendable, Equatable, CustomStringConvertible {
  public enum Severity: String, Sendable {
    /// podd refuses to start.
    case fatal
    /// Pods run, but something that an administrator would miss does not work.
    case advice
  }

  /// Stable, for scripts: `cgroup-v2`, `psi`, …
  public let id: String
  public let severity: Severity
  /// One sentence: what is missing, with its full stop.
  public let what: String
  /// One sentence: what to do about it, with its full stop.
  public let mend: String

  public init(id: String, severity: Severity, what: String, mend: String) {
    self.id = id
    self.severity = severity
    self.what = what
    self.mend = mend
  }

  public var description: String { "\(what) \(mend)" }
}

/// One question put to the host, and the answer: nil when nothing is missing.
public struct Check: Sendable, Equatable {
  /// The same as its finding's.
  public let id: String
  /// What a passed check says, e.g. `cgroup v2 (unified hierarchy)`.
  public let title: String
  public let finding: Finding?

  public init(id: String, title: String, finding: Finding?) {
    self.id = id
    self.title = title
    self.finding = finding
  }
}
