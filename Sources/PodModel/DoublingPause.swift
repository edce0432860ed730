public import Time

/// Pauses between attempts: first `first`, then twice as long each time, up to `longest`.
public struct DoublingPause: Sendable, Equatable {
  private var pause: Microseconds
  private let longest: Microseconds

  public init(first: Microseconds, longest: Microseconds) {
    pause = first
    self.longest = longest
  }

  /// The next pause.
  public mutating func next() -> Microseconds {
    defer { pause = min(pause * 2, longest) }
    return pause
  }
}
