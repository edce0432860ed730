/// The stages at which a launch can fail: podd's own and those that pod-launch reports.
public enum LaunchStage: String, Sendable, CaseIterable {
  // podd's.
  case settings, store, files, socket, spawn, firewall, scope, users, limits
  /// The command of `ExecReload=`, which is launched like a program.
  case reload
  // Both podd and pod-launch report these: podd releases the program and moves a worker into the scope's cgroup;
  // pod-launch waits for the release and checks its cgroup.
  case release, cgroup
  // pod-launch's (Sources/pod-launch/report.c).
  case plan, namespace, mount, journal, user, privileges, exec

  /// Whether a failure at this stage may say something about the pod's program. At every other stage the program was
  /// not reached yet: what failed is podd, systemd, a file system, or a setting of the host.
  public var reachesProgram: Bool {
    switch self {
    case .exec, .reload: true
    case .settings, .store, .files, .socket, .spawn, .firewall, .scope, .users, .limits, .release, .cgroup,
      .plan,
      .namespace, .mount, .journal, .user, .privileges:
      false
    }
  }
}

/// An errno by its name, `ENOENT`; the number, where the C library knows no name for it.
public struct ErrnoName: Hashable, Sendable, RawRepresentable, ExpressibleByStringLiteral,
  CustomStringConvertible
{
  /// The name as it is printed.
  public let rawValue: String

  /// Whether the host lacks something for the moment: memory, processes, descriptors, or a disk that can be read.
  /// execve(2) reports these whatever the program is.
  public var isShortage: Bool {
    ["ENOMEM", "EAGAIN", "ENFILE", "EIO", "ENOSPC", "ESTALE", "ETIMEDOUT"].contains(rawValue)
  }

  /// - Parameter rawValue: a name from errno(3), or a number.
  public init(rawValue: String) { self.rawValue = rawValue }

  public init(stringLiteral value: String) { self.init(rawValue: value) }

  public var description: String { rawValue }
}

/// Why a program never ran.
public struct LaunchFailure: Error, Hashable, Sendable {
  /// The step that failed.
  public let stage: LaunchStage
  /// The error of that step.
  public let error: ErrnoName

  public init(stage: LaunchStage, error: ErrnoName) {
    self.stage = stage
    self.error = error
  }

  /// The reason that is recorded for the generation: `launch-failed:STAGE:ERRNO`.
  public var reason: EndReason { .launchFailed(stage: stage, error: error) }
}
