/// Pauses between attempts, in microseconds: first `first`, then twice as long each time, up to `longest`.
public struct DoublingPause: Sendable {
  private var pause: UInt64
  private let longest: UInt64

  /// - Parameters: microseconds.
  public init(first: UInt64, longest: UInt64) {
    pause = first
    self.longest = longest
  }

  /// The next pause, in microseconds.
  public mutating func next() -> UInt64 {
    defer { pause = min(pause * 2, longest) }
    return pause
  }
}
