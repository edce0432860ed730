/// A pod's memory since its start, with more detail the more recent it is: the last samples singly, before them pairs,
/// fours, eights … Every span of time, from a minute to months, is covered by about twenty values, in constant memory
/// and at constant cost per sample.
struct MemoryFloors: Sendable {
  /// One stretch of samples. Times in seconds since the history began, memory in bytes.
  struct Stretch: Sendable {
    /// Times of its first and last sample.
    var start: Float
    var end: Float
    var low: Float
    var mean: Float
    var high: Float
    /// Number of samples in it, a power of two.
    var count: UInt32
  }

  /// Most stretches of one length; with one more, the two oldest are joined.
  private static let perLength = 7
  /// Each takes 24 bytes, so 100 days of samples every 10 s take 3.2 kB.
  static let capacity = 130

  /// Oldest first.
  private(set) var stretches: [Stretch] = []
  /// By how many stretches the memory grows: a host has hundreds of histories, and most are of hours.
  private static let growth = 16

  mutating func removeAll() { stretches.removeAll(keepingCapacity: true) }

  mutating func append(at time: Float, _ value: Float) {
    if stretches.count == stretches.capacity {
      stretches.reserveCapacity(min(stretches.count + Self.growth, Self.capacity))
    }
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

  /// The most that was given back until `time`: a height, and the lowest value after it. The fall may end in the first
  /// stretch after that time, where the next rise begins. Nil if nothing was given back.
  func largestFall(until time: Float) -> (high: Float, low: Float)? {
    var found: (high: Float, low: Float)?
    var size: Float = 0
    var highest = -Float.infinity
    for stretch in stretches {
      if highest - stretch.low > size {
        size = highest - stretch.low
        found = (highest, stretch.low)
      }
      guard stretch.start < time else { break }
      highest = max(highest, stretch.high)
    }
    return found
  }

  /// When memory was below a level for the last time; 0 if it never was.
  func lastTime(below level: Float) -> Float { stretches.last { $0.low < level }?.end ?? 0 }

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
