/// How the floor of a pod's memory moved over one span of time, cut into eight blocks of equal length. The lowest value
/// of a block was never given back in it, so teeth and noise shorter than a block do not count.
struct MemoryTrend {
  static let blocks = 8

  /// Seconds since the history began.
  var start: Float = 0
  var end: Float = 0
  /// Bytes per second, and its standard error, widened by the correlation of neighbouring blocks.
  var slope: Float = 0
  var error: Float = 0
  /// Blocks that hold samples.
  var used = 0
  /// Gain from start to end along the fitted line, and the level at its end.
  var rise: Float = 0
  var level: Float = 0
  /// Standard deviation of the floors about the line.
  var scatter: Float = 0
  /// Gain of the second half divided by the gain of the first: 1 for a line, less for growth that settles.
  var pace: Float = 0
  /// What growth that keeps slowing at this pace would still gain; infinite when it does not slow.
  var ahead: Float = 0
  /// Gain of the last block, and the largest gain of a block, both in mean blocks' gains.
  var lastGain: Float = 0
  var largestGain: Float = 0
  /// The last floor; the highest value of the last third, and its height above the floors there.
  var floor: Float = 0
  var top: Float = 0
  var band: Float = 0
  /// Difference of the highest and the lowest value.
  var range: Float = 0

  /// A line through single samples; nothing is known of its shape.
  init(line: LatestSamples.Line, from start: Float, to end: Float) {
    (self.start, self.end) = (start, end)
    (slope, error, level, pace) = (line.slope, line.error, line.level, line.halves)
    rise = slope * (end - start)
    used = Self.blocks
  }

  /// Nil when fewer than five blocks hold samples.
  init?(_ floors: MemoryFloors, from start: Float, to end: Float) {
    self.start = start
    self.end = end
    guard end > start else { return nil }
    let perBlock = Float(Self.blocks) / (end - start)
    var low = SIMD8<Float>(repeating: .infinity)
    var high = SIMD8<Float>(repeating: -.infinity)
    var time = SIMD8<Float>(repeating: 0)
    for stretch in floors.stretches.reversed() {
      guard stretch.start >= start else { break }
      guard stretch.start <= end else { continue }
      let block = min(Int((stretch.start - start) * perBlock), Self.blocks - 1)
      high[block] = max(high[block], stretch.high)
      // In a stretch that grows, the lowest value is the first one.
      if stretch.low <= low[block] {
        low[block] = stretch.low
        time[block] = stretch.start
      }
    }
    guard fit(low, time), measureShape(low, time) else { return nil }
    measureTop(low, high)
  }

  /// Fits a line through the floors by least squares. Returns false with fewer than five floors.
  private mutating func fit(_ low: SIMD8<Float>, _ time: SIMD8<Float>) -> Bool {
    var count: Float = 0
    var meanTime: Float = 0
    var meanLow: Float = 0
    for index in 0..<Self.blocks where low[index] < .infinity {
      count += 1
      meanTime += time[index]
      meanLow += low[index]
    }
    used = Int(count)
    guard used >= 5 else { return false }
    meanTime /= count
    meanLow /= count
    var squares: Float = 0
    var products: Float = 0
    for index in 0..<Self.blocks where low[index] < .infinity {
      let distance = time[index] - meanTime
      squares += distance * distance
      products += distance * (low[index] - meanLow)
    }
    guard squares > 0 else { return false }
    slope = products / squares
    var residuals: Float = 0
    var neighbours: Float = 0
    var before: Float = 0
    for index in 0..<Self.blocks where low[index] < .infinity {
      let residual = low[index] - meanLow - slope * (time[index] - meanTime)
      residuals += residual * residual
      neighbours += residual * before
      before = residual
    }
    scatter = (residuals / (count - 2)).squareRoot()
    // Residuals that are alike in neighbouring blocks prove less than independent ones.
    let correlation = residuals > 0 ? min(max(neighbours / residuals, 0), 0.6) : 0
    error = (residuals / (count - 2) / squares * (1 + correlation) / (1 - correlation)).squareRoot()
    rise = slope * (end - start)
    level = meanLow + slope * (end - meanTime)
    return true
  }

  /// Measures whether the growth slows, jumps, or continues. Returns false when the last block is empty.
  private mutating func measureShape(_ low: SIMD8<Float>, _ time: SIMD8<Float>) -> Bool {
    // Empty blocks are interpolated, because a gap says nothing about the shape.
    var filled = low
    var lastKnown = -1
    for index in 0..<Self.blocks where low[index] < .infinity {
      if lastKnown < 0 {
        for earlier in 0..<index { filled[earlier] = low[index] }
      } else if index - lastKnown > 1 {
        let step = (low[index] - low[lastKnown]) / Float(index - lastKnown)
        for between in (lastKnown + 1)..<index {
          filled[between] = low[lastKnown] + step * Float(between - lastKnown)
        }
      }
      lastKnown = index
    }
    guard lastKnown == Self.blocks - 1 else { return false }
    let first = (filled[0] + filled[1]) / 2
    let middle = (filled[3] + filled[4]) / 2
    let last = (filled[6] + filled[7]) / 2
    let early = middle - first
    let late = last - middle
    pace = early > 0 ? late / early : (late > 0 ? .infinity : 0)
    // The uncertainty of the pace counts as slowing.
    let surely = pace - 2 * scatter / early
    if late <= 0 || early <= 0 || surely <= 0 {
      ahead = 0
    } else {
      ahead = surely >= 0.98 ? .infinity : late * surely / (1 - surely)
    }
    let mean = rise / Float(Self.blocks)
    var largest: Float = 0
    for index in 1..<Self.blocks { largest = max(largest, filled[index] - filled[index - 1]) }
    largestGain = mean > 0 ? largest / mean : .infinity
    lastGain = mean > 0 ? (filled[7] - filled[6]) / mean : 0
    floor = filled[7]
    return true
  }

  private mutating func measureTop(_ low: SIMD8<Float>, _ high: SIMD8<Float>) {
    top = max(high[5], max(high[6], high[7]))
    // The rise within a block does not count as a tooth.
    let own = max(rise, 0) / Float(Self.blocks)
    range = high.max() - low.min()
    var least: Float = .infinity
    for index in 4..<Self.blocks where low[index] < .infinity {
      least = min(least, high[index] - low[index] - own)
    }
    band = max(least, 0)
  }

  /// Student's t: the slope in standard errors. The error counts as at least a hundredth of the slope, so that a line
  /// without scatter has a finite value.
  var certainty: Float { slope <= 0 ? 0 : slope / max(error, slope * 0.01) }

  /// Half of the interval that holds the slope with 95 % confidence: Student's t for the blocks' degrees of freedom,
  /// by an approximation that is within 0.5 % from 2 to 6 of them.
  var halfInterval: Float { error * (1.96 + 2.45 / (Float(used) - 2 - 0.95)) }
}
