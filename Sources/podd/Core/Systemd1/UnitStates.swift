/// How a job of systemd ended, in systemd's words (org.freedesktop.systemd1(5), "JobRemoved").
enum JobResult: Equatable {
  case done, canceled, timeout, failed, dependency, skipped
  /// A result that this podd does not know.
  case other(String)

  init(_ word: String) {
    self =
      switch word {
      case "done": .done
      case "canceled": .canceled
      case "timeout": .timeout
      case "failed": .failed
      case "dependency": .dependency
      case "skipped": .skipped
      default: .other(word)
      }
  }
}

extension JobResult: CustomStringConvertible {
  var description: String {
    switch self {
    case .done: "done"
    case .canceled: "canceled"
    case .timeout: "timeout"
    case .failed: "failed"
    case .dependency: "dependency"
    case .skipped: "skipped"
    case .other(let word): word
    }
  }
}

/// What podd learned about the end of a job that it had queued.
enum JobEnd: Equatable, CustomStringConvertible {
  case finished(JobResult)
  /// The bus connection was lost first. The job goes on, and nobody will report its result.
  case connectionLost
  /// systemd has not ended it in time, or has, and the unit is not as it should be.
  case unreported

  var description: String {
    switch self {
    case .finished(let result): result.description
    case .connectionLost: "disconnected"
    case .unreported: "unreported"
    }
  }
}

/// A unit's `ActiveState` (org.freedesktop.systemd1(5)).
enum ActiveState: String {
  case active, reloading, inactive, failed, activating, deactivating, maintenance, refreshing
}

/// A unit's `LoadState` (org.freedesktop.systemd1(5)).
enum LoadState: String {
  case stub, loaded, notFound = "not-found", badSetting = "bad-setting", error, merged, masked

  /// Whether such a unit can be started.
  var isThere: Bool { self != .notFound && self != .masked }
}
