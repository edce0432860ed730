/// The last eight samples as they were read, with a line through them: what a pod does just now, while its history still
/// looks for an explanation.
struct LatestSamples: Sendable {
  /// The straight line through the samples, by least squares.
  struct Line {
    /// Bytes per second, and its standard error.
    var slope: Float
    var error: Float
    /// Its value at the last sample.
    var level: Float
    /// The gain of the second half divided by the gain of the first.
    var halves: Float
    /// The largest gain from one sample to the next, and the difference of the highest and the lowest.
    var largestGain: Float
    var range: Float
  }

  private static let count = 8

  /// Seconds since the history began, and bytes; the oldest sample is overwritten first.
  private var times = SIMD8<Float>(repeating: 0)
  private var values = SIMD8<Float>(repeating: 0)
  private var taken = 0

  mutating func append(at time: Float, _ value: Float) {
    times[taken % Self.count] = time
    values[taken % Self.count] = value
    taken += 1
  }

  /// When the first of them was taken; nil while there are fewer than eight.
  var since: Float? { taken >= Self.count ? times[taken % Self.count] : nil }

  /// The line through the samples; nil while there are fewer than eight.
  var line: Line? {
    guard taken >= Self.count else { return nil }
    let number = Float(Self.count)
    let last = times[(taken - 1) % Self.count]
    let meanTime = times.sum() / number
    let mean = values.sum() / number
    let distances = times - meanTime
    let squares = (distances * distances).sum()
    guard squares > 0 else { return nil }
    let slope = (distances * (values - mean)).sum() / squares
    let residuals = values - mean - distances * slope
    let error = ((residuals * residuals).sum() / (number - 2) / squares).squareRoot()
    return Line(
      slope: slope, error: error, level: mean + slope * (last - meanTime), halves: gainOfHalves,
      largestGain: largestGain, range: values.max() - values.min())
  }

  /// The largest gain from one sample to the next.
  private var largestGain: Float {
    var largest: Float = 0
    for index in 1..<Self.count {
      largest = max(largest, values[(taken + index) % Self.count] - values[(taken + index - 1) % Self.count])
    }
    return largest
  }

  /// The gain of the second half divided by the gain of the first.
  private var gainOfHalves: Float {
    func mean(_ from: Int) -> Float {
      (values[(taken + from) % Self.count] + values[(taken + from + 1) % Self.count]) / 2
    }
    let middle = (mean(2) + mean(4)) / 2
    let early = middle - mean(0)
    let late = mean(6) - middle
    return early > 0 ? late / early : (late > 0 ? .infinity : 0)
  }
}
