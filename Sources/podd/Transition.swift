import PodModel

/// One change in a pod's life, for `explain`.
struct Transition {
  /// How many a pod keeps.
  static let kept = 16

  /// CLOCK_REALTIME, microseconds.
  let at: UInt64
  let from: String
  let to: String
  let event: String
  let reason: EndReason?

  init(
    from before: (state: PodState, beside: Lifecycle.Beside?), _ event: Lifecycle.Event, to after: Lifecycle
  ) {
    at = realtimeNow()
    from = Self.describe(before.state, before.beside)
    to = Self.describe(after.state, after.beside)
    self.event = event.name
    reason = event.reason
  }

  private static func describe(_ state: PodState, _ beside: Lifecycle.Beside?) -> String {
    beside.map { "\(state.rawValue), \($0.name)" } ?? state.rawValue
  }
}
