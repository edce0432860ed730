/// What becomes of a call about a pod, by the state in which it finds it. The table is in docs/lifecycle.md.
public enum Admission: Sendable, Equatable {
  /// What is asked for. What each leads to in a state is the lifecycle's.
  public enum Verb: String, Sendable, CaseIterable {
    /// A user is placed on it and has to be served, or somebody connects to it.
    case serve
    case start, stop, restart
    /// Replace what runs, to have its memory back.
    case recycle
    /// Stop what runs, to have its memory back.
    case evict
    case freeze, thaw, reset
    /// Its last user is gone.
    case idle
  }

  /// Why nothing is done.
  public enum Refusal: String, Sendable {
    /// It was stopped by hand and stays so.
    case stopped
    /// Too many ends in too short a time: an operator has to reset it.
    case startLimitHit
    /// Only what is ready can be frozen.
    case notReady
    /// There is nothing to replace, or to stop.
    case nothingRuns
  }

  /// The pod's machine gets the verb's event.
  case act
  /// It is so already, or comes to be so by itself.
  case nothingToDo
  case refused(Refusal)

  /// What becomes of `verb` in `state`.
  public init(_ verb: Verb, in state: PodState) {
    self =
      switch (verb, state) {
      case (.serve, .ready), (.serve, .starting): .nothingToDo
      case (.serve, .stopped): .refused(.stopped)
      case (.serve, .crashLoop), (.start, .crashLoop): .refused(.startLimitHit)
      case (.start, .ready), (.start, .starting): .nothingToDo
      case (.serve, _), (.start, _), (.stop, _), (.restart, _): .act
      case (.recycle, .ready), (.recycle, .frozen): .act
      case (.recycle, _): .refused(.nothingRuns)
      case (.evict, _): state.hasScope ? .act : .refused(.nothingRuns)
      case (.freeze, .ready): .act
      case (.freeze, .frozen): .nothingToDo
      case (.freeze, _): .refused(.notReady)
      case (.thaw, .frozen): .act
      case (.reset, .backoff), (.reset, .crashLoop): .act
      case (.idle, _): state.hasScope ? .act : .nothingToDo
      case (.thaw, _), (.reset, _): .nothingToDo
      }
  }
}
