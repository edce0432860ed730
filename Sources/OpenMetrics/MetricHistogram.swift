/// How often something took how long, in buckets that never change.
public struct MetricHistogram: Sendable, Equatable {
  /// The upper bounds of the buckets but the last, which has none; rising.
  public let bounds: [Double]
  /// How many values fell into each bucket alone; one more than there are bounds.
  public private(set) var counts: [UInt64]
  public private(set) var sum: Double

  public init(bounds: [Double]) {
    self.bounds = bounds
    counts = Array(repeating: 0, count: bounds.count + 1)
    sum = 0
  }

  /// One that somebody else has counted; nil unless the numbers fit together.
  public init?(bounds: [Double], counts: [UInt64], sum: Double) {
    guard counts.count == bounds.count + 1, zip(bounds, bounds.dropFirst()).allSatisfy({ $0 < $1 }) else {
      return nil
    }
    self.bounds = bounds
    self.counts = counts
    self.sum = sum
  }

  public mutating func observe(_ value: Double) {
    counts[bounds.firstIndex { value <= $0 } ?? bounds.count] &+= 1
    sum += value
  }
}
