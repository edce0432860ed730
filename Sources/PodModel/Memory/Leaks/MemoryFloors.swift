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
  /// Longer means are too old to say more.
  private static let longestMean: Float = 512
  /// By how many stretches the memory grows: a host has hundreds of histories, and most are of hours.
  private static let growth = 16

  /// How uncertain a mean of 1, 2, 4, 8 … samples is: its standard error, learned from three neighbouring means each,
  /// on which a trend has no effect.
  private var errors = SIMD16<Float>(repeating: 0)

  mutating func removeAll() {
    stretches.removeAll(keepingCapacity: true)
    errors = SIMD16(repeating: 0)
  }

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
      noteError(oldest)
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

  /// Learns from three stretches of one length how far a mean of so many samples is off.
  private mutating func noteError(_ first: Int) {
    let length = stretches[first].count.trailingZeroBitCount
    guard length < errors.scalarCount else { return }
    let bend = stretches[first].mean - 2 * stretches[first + 1].mean + stretches[first + 2].mean
    // The mean of a normal deviation's size is 0.8 of the standard one, and the bend has the errors of 1 + 4 + 1 means.
    let error = bend.magnitude * 0.512
    let known = errors[length]
    if known > 0 {
      errors[length] += (min(error, 3 * known) - known) / 8
    } else {
      // A first error may be large or small by chance: about what half as many independent samples lead to is expected.
      let expected = length > 0 ? errors[length - 1] * 0.707 : 0
      errors[length] = expected > 0 ? min(max(error, expected), 2 * expected) : error
    }
  }

  /// What is surely held by a pod that grows: the highest of the means of the latest samples, each less some of its
  /// standard errors. No mean of the past is higher than the present. One of few samples is uncertain, one of many old.
  ///
  /// - Parameters:
  ///   - fewest: The number of samples in the shortest mean.
  ///   - noise: The standard deviation of a sample, as far as it is known otherwise.
  ///   - errors: The standard errors that are subtracted from a mean.
  func surelyHeld(fewest: Float, noise: Float, errors most: Float) -> Float {
    var surely = -Float.infinity
    var sum: Float = 0
    var count: Float = 0
    // The largest variance that the means of each length lead to for a single sample.
    var variance = noise * noise
    var length = 0
    for stretch in stretches.reversed() {
      sum += stretch.mean * Float(stretch.count)
      count += Float(stretch.count)
      while length < errors.scalarCount, Float(1 << length) <= count {
        variance = max(variance, errors[length] * errors[length] * Float(1 << length))
        length += 1
      }
      guard count >= fewest else { continue }
      surely = max(surely, sum / count - most * (variance / count).squareRoot())
      if count >= Self.longestMean || sum / count < surely { break }
    }
    return surely
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
