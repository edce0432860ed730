public import Time

/// What a new podd finds.
extension Lifecycle {
  /// The generation on record had ended while nobody watched.
  public mutating func endedUnseen(_ reason: EndReason) {
    lastEnd = reason
  }

  /// A scope was found running after podd restarted.
  public mutating func adopt(ready: Bool, since: LoopTime) {
    state = ready ? .ready : .starting
    self.since = since
  }

  /// An earlier generation was found running next to the adopted one: podd ended in the middle of a handover.
  ///
  /// - Parameter cause: why it was to go; `.unknownAdopted` when that is not on record.
  public mutating func adoptPredecessor(_ cause: EndReason) {
    other = .predecessor(cause)
  }

  /// The event for an adopted pod when podd ended in the middle of stopping it, or before; nil: it runs on.
  ///
  /// - Parameters:
  ///   - cause: why it is being stopped; `.unknownAdopted` when by others than podd. Nil: it is not.
  ///   - drains: whether its connections are to be waited for first.
  public func resumption(_ cause: EndReason?, drains: Bool) -> Event? {
    switch (wanted, cause) {
    case (.stopped, _): .stop(.operator, then: .stopped, drains: drains)
    case (.cold, let cause): .stop(cause ?? .idle, then: .cold, drains: drains)
    case (.run, let cause?) where cause.isWanted: .stop(cause, then: .launch, drains: drains)
    // Nobody waits for the connections of one that hangs.
    case (.run, let cause?): .stop(cause, then: .backoff, drains: drains && cause == .unknownAdopted)
    case (.run, nil): nil
    }
  }
}
