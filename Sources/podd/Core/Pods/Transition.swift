import Linux
import PodModel

/// One change in a pod's life, for `explain`. Every pod keeps some: it is small.
struct Transition {
  /// How many a pod keeps.
  static let kept = 16

  /// A state, and what a second generation was then.
  struct Place {
    let state: PodState
    let other: Lifecycle.Beside.Kind?

    init(_ lifecycle: Lifecycle) {
      state = lifecycle.state
      other = lifecycle.beside?.kind
    }

    /// As docs/lifecycle.md calls it.
    var name: String { other.map { "\(state.rawValue), \($0.rawValue)" } ?? state.rawValue }
  }

  /// CLOCK_REALTIME, microseconds.
  let at: UInt64
  let from: Place
  let to: Place
  let event: String
  let reason: EndReason?

  init(from before: Place, _ event: Lifecycle.Event, to after: Lifecycle) {
    at = realtimeNow()
    from = before
    to = Place(after)
    self.event = event.name
    reason = event.reason
  }
}
