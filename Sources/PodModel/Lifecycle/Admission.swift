/// Whether a verb is performed, is unnecessary, or is refused, by the pod's state. The table is in docs/lifecycle.md.
public enum Admission: Sendable, Equatable {
  /// A verb. ``Lifecycle`` decides what it leads to.
  public enum Verb: String, Sendable, CaseIterable {
    /// A user was placed on the pod and must be served, or a connection came.
    case serve
    case start, stop, restart
    /// Replace the running generation, to free its memory.
    case recycle
    /// Stop the running generation, to free its memory.
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
  /// Nothing to do: the pod is in the wanted state, or is on its way there.
  case nothingToDo
  case refused(Refusal)

  /// The answer to `verb` in `state`.
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
