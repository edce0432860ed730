/// A pod's memory since its start, in the finer detail the younger it is: each of the last samples by itself, before
/// them pairs, fours, eights … So every span of time, of the last minute as of the last month, is covered by some
/// twenty values, in constant memory and at constant cost a sample.
struct MemoryFloors: Sendable {
  /// One stretch of samples. Times in seconds since the history began, memory in bytes.
  struct Stretch: Sendable {
    /// The first sample's and the last one's.
    var start: Float
    var end: Float
    var low: Float
    var mean: Float
    var high: Float
    /// Samples in it, a power of two.
    var count: UInt32
  }

  /// Stretches of one length before the two oldest become one.
  private static let perLength = 7
  /// 24 bytes each: with this many, 100 days of samples every 10 s are held in 3.2 kB.
  static let capacity = 130

  /// From the oldest.
  private(set) var stretches: [Stretch] = []

  init() {
    stretches.reserveCapacity(Self.capacity)
  }

  mutating func removeAll() { stretches.removeAll(keepingCapacity: true) }

  mutating func append(at time: Float, _ value: Float) {
    stretches.append(Stretch(start: time, end: time, low: value, mean: value, high: value, count: 1))
    var end = stretches.count
    while end > Self.perLength {
      // The stretches of one length stand together; the oldest of them at `end - perLength - 1`.
      let count = stretches[end - 1].count
      let oldest = end - Self.perLength - 1
      guard oldest >= 0, stretches[oldest].count == count else { break }
      join(oldest)
      end = oldest + 1
    }
    if stretches.count >= Self.capacity { join(0) }
  }

  /// Makes one stretch of two neighbours.
  private mutating func join(_ index: Int) {
    let later = stretches[index + 1]
    var both = stretches[index]
    let share = Float(later.count) / Float(both.count + later.count)
    both.end = later.end
    both.low = min(both.low, later.low)
    both.high = max(both.high, later.high)
    both.mean += (later.mean - both.mean) * share
    both.count += later.count
    stretches[index] = both
    stretches.remove(at: index + 1)
  }
}
