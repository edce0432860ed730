public import Time

extension LeakDetector {
  /// What is known after the last sample.
  public struct Finding: Sendable, Equatable {
    /// Stays true for the generation unless the growth is disproved (docs/leaks.md).
    public var isLeak = false
    /// Whether the pod grows steadily, be it a leak or not: siblings are compared by this.
    public var isGrowing = false
    /// When the growth began.
    public var since: LoopTime?
    /// When the growth was first found to be a leak.
    public var detectedAt: LoopTime?
    /// Bytes per second, with the interval that holds it with 95 % confidence.
    public var slope = 0.0
    public var slopeLow = 0.0
    public var slopeHigh = 0.0
    /// How long until the limit is met at this rate; nil when it will not be met, or when there is no limit.
    public var timeToLimit: Microseconds?
    /// When the last sample was taken.
    public var at = LoopTime.zero
    /// Unreclaimable memory of the last sample, and the limit that it is compared with; nil for none.
    public var held: UInt64 = 0
    public var limit: UInt64?
    /// The test that the finding rests on.
    public var basis = Basis.tooFewSamples

    public init() {}
  }

  /// The test that decided, in the words of docs/leaks.md.
  public enum Basis: Sendable, Equatable {
    /// No leak, as far as can be told.
    case tooFewSamples, noLimit, steady, settling, room, disproved
    /// A leak.
    case nearTheLimit, afterRest, faster, forAWeek, intoSwap, underTeeth, peaksMeetLimit,
      fasterThanSamples, aboutToMeet
  }
}
