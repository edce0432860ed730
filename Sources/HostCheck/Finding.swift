/// One thing that is wrong with a host, and how to fix it. podd refuses to start with the same words that
/// `podctl doctor` prints.
public struct Finding: Sendable, Equatable, CustomStringConvertible {
  public enum Severity: String, Sendable {
    /// podd does not start, or some pods cannot be launched.
    case fatal
    /// Pods run, but something that an administrator expects does not work.
    case advice
  }

  /// Stable, for scripts: `cgroup-v2`, `psi`, …
  public let id: String
  public let severity: Severity
  /// One sentence: what is missing, with its full stop.
  public let what: String
  /// One sentence: what to do about it, with its full stop.
  public let fix: String

  public init(id: String, severity: Severity, what: String, fix: String) {
    self.id = id
    self.severity = severity
    self.what = what
    self.fix = fix
  }

  public var description: String { "\(what) \(fix)" }
}

/// One check of a host, and its result: nil when nothing is wrong.
public struct Check: Sendable, Equatable {
  /// The id of its finding.
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
