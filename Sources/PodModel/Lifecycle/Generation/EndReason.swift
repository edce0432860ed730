/// Why a generation ended (podctl(1), "REASONS"). ``EndEvidence/reason`` concludes it from what was seen.
public enum EndReason: Hashable, Sendable, CustomStringConvertible {
  case exited(Int32)
  /// The signal's name without `SIG`, as `signal:KILL` would print it.
  case signal(String)
  case oomOwnLimit
  case oomBystander
  /// systemd-oomd chose it, as the last resort.
  case oomd
  case leak
  case pressure
  case health
  case startTimeout
  /// Its program never ran.
  case launchFailed(stage: LaunchStage, error: ErrnoName)
  case `operator`
  case idle
  case unknownAdopted

  public var description: String {
    switch self {
    case .exited(let status): "exited:\(status)"
    case .signal(let name): "signal:\(name)"
    case .oomOwnLimit: "oom-own-limit"
    case .oomBystander: "oom-bystander"
    case .oomd: "oomd"
    case .leak: "leak"
    case .pressure: "pressure"
    case .health: "health"
    case .startTimeout: "start-timeout"
    case .launchFailed(let stage, let error): "launch-failed:\(stage.rawValue):\(error)"
    case .operator: "operator"
    case .idle: "idle"
    case .unknownAdopted: "unknown-adopted"
    }
  }

  /// The reason without an exit status, a signal, a stage and an error: one of ``kinds``.
  public var kind: String { String(description.prefix { $0 != ":" }) }

  /// Every ``kind``.
  public static let kinds = [
    "exited", "signal", "oom-own-limit", "oom-bystander", "oomd", "leak", "pressure", "health",
    "start-timeout",
    "launch-failed", "operator", "idle", "unknown-adopted",
  ]

  /// Whether somebody, or podd for somebody, wanted the end.
  public var isWanted: Bool {
    switch self {
    case .operator, .idle, .pressure, .leak: true
    default: false
    }
  }

  /// The kind of alert that such an end raises; nil: none, or another event has raised one.
  public var alert: AlertKind? {
    switch self {
    case .exited, .signal: .end
    case .oomOwnLimit, .oomBystander, .oomd: .oom
    case .health: .health
    case .startTimeout: .startTimeout
    case .launchFailed, .leak, .pressure, .operator, .idle, .unknownAdopted: nil
    }
  }

  /// Whether the end says nothing about the pod, because the host failed. Such an end never counts towards the start
  /// limit (decision 0024): only what the program itself did, and what the kernel says about the program's file, can
  /// speak against a pod.
  public var isOfHost: Bool {
    switch self {
    case .oomBystander, .oomd: true
    default: isLaunchFailureOfHost
    }
  }

  /// Whether the host kept a launch from reaching the program.
  public var isLaunchFailureOfHost: Bool {
    if case .launchFailed(let stage, let error) = self {
      !stage.reachesProgram || error.isShortage
    } else {
      false
    }
  }

  /// Whether the program never ran.
  public var isLaunchFailure: Bool {
    if case .launchFailed = self { true } else { false }
  }

  /// Reads what `description` prints; nil for anything else.
  public init?(_ text: String) {
    switch text {
    case "oom-own-limit": self = .oomOwnLimit
    case "oom-bystander": self = .oomBystander
    case "oomd": self = .oomd
    case "leak": self = .leak
    case "pressure": self = .pressure
    case "health": self = .health
    case "start-timeout": self = .startTimeout
    case "operator": self = .operator
    case "idle": self = .idle
    case "unknown-adopted": self = .unknownAdopted
    default:
      let parts = text.split(separator: ":", omittingEmptySubsequences: false)
      switch (parts.first, parts.count) {
      case ("exited", 2):
        guard let status = Int32(parts[1]) else { return nil }
        self = .exited(status)
      case ("signal", 2):
        self = .signal(String(parts[1]))
      case ("launch-failed", 3):
        guard let stage = LaunchStage(rawValue: String(parts[1])) else { return nil }
        self = .launchFailed(stage: stage, error: ErrnoName(rawValue: String(parts[2])))
      default: return nil
      }
    }
  }
}

extension EndReason? {
  /// For a sentence, also where no end is on record.
  public var words: String { self?.description ?? "no reason on record" }
}
