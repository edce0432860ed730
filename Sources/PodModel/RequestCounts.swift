public import Time

/// What front doors count of a pod's requests: how many have ended, and how long they took. Counts only rise, until podd
/// starts again.
public struct RequestCounts: Sendable, Equatable {
  /// The upper bounds of the buckets but the last one, which has none. They are part of org.podctl1(5), so they do not
  /// change. nginx measures in milliseconds.
  public static let bounds: [Microseconds] = [
    .milliseconds(1), .milliseconds(2), .milliseconds(5), .milliseconds(10), .milliseconds(20),
    .milliseconds(50), .milliseconds(100), .milliseconds(200), .milliseconds(500), .seconds(1), .seconds(2),
    .seconds(5), .seconds(10), .seconds(20), .seconds(60),
  ]
  private static let none = [UInt64](repeating: 0, count: bounds.count + 1)

  /// All requests, also those without a latency.
  public private(set) var total: UInt64
  /// How many requests fell into each bucket alone.
  public private(set) var latencies: [UInt64]

  public init() {
    total = 0
    latencies = Self.none
  }

  /// Counts of somebody else; nil unless there is one for each bucket.
  public init?(total: UInt64, latencies: [UInt64]) {
    guard latencies.count == Self.bounds.count + 1 else { return nil }
    self.total = total
    self.latencies = latencies
  }

  /// Requests have ended.
  /// - Parameter latency: Of a single one; nil for requests of which it is not known, or means nothing.
  public mutating func add(_ requests: UInt64 = 1, latency: Microseconds? = nil) {
    total &+= requests
    guard let latency else { return }
    latencies[Self.bounds.firstIndex { latency <= $0 } ?? Self.bounds.count] &+= 1
  }

  public static func += (left: inout RequestCounts, right: RequestCounts) {
    left.total &+= right.total
    for index in left.latencies.indices { left.latencies[index] &+= right.latencies[index] }
  }

  /// What was added after `earlier`; nil if these counts began after it.
  public func since(_ earlier: RequestCounts) -> RequestCounts? {
    guard total >= earlier.total, zip(latencies, earlier.latencies).allSatisfy({ $0 >= $1 }) else {
      return nil
    }
    return RequestCounts(
      total: total - earlier.total, latencies: zip(latencies, earlier.latencies).map { $0 - $1 })
  }

  /// The latency that a share of the requests did not exceed, as if those of a bucket were spread evenly between its
  /// bounds.
  /// - Returns: nil if no request has a latency, infinity for one above the last bound.
  public func latency(ofShare share: Double) -> Microseconds? {
    let rank = latencies.reduce(0) { $0 + Double($1) } * share
    guard rank > 0 else { return nil }
    var below = 0.0
    for (index, bound) in Self.bounds.enumerated() {
      let count = Double(latencies[index])
      if count > 0, below + count >= rank {
        let lower = index > 0 ? Self.bounds[index - 1] : .zero
        return lower + (bound - lower).scaled(by: (rank - below) / count)
      }
      below += count
    }
    return .infinity
  }
}
