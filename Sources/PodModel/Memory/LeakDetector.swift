/// Tells a leak from growth that ends by itself, sample by sample, in bounded memory.
public struct LeakDetector: Sendable {
  /// What is known by the last sample.
  public struct Finding: Sendable, Equatable {
    public var isLeak = false
    /// When the growth began, by the samples' clock.
    public var since: UInt64?
    /// Bytes per second, with the interval that holds it with 95 % confidence.
    public var slope = 0.0
    public var slopeLow = 0.0
    public var slopeHigh = 0.0
    /// Seconds until the limit is met at this pace; nil when it is not, or when there is no limit.
    public var timeToLimit: Double?
    /// One sentence with the figures it was concluded from.
    public var reason = ""

    public init() {}
  }

  public private(set) var finding = Finding()

  /// - Parameters:
  ///   - memoryMax: The pod's MemoryMax= in bytes; nil for none.
  ///   - memoryHigh: Its MemoryHigh=: where it begins to stall (facts 21); nil for none.
  public init(memoryMax: UInt64?, memoryHigh: UInt64?) {
  }

  /// Takes the next sample of the same generation; a new generation gets a new detector.
  @discardableResult
  public mutating func add(_ sample: MemorySample) -> Finding {
    finding
  }
}
