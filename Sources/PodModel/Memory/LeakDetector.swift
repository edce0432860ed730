/// Tells a leak from growth that ends by itself, sample by sample, in bounded memory.
public struct LeakDetector: Sendable {
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
