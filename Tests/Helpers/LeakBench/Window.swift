import PodModel

/// The last `length` seconds of held memory, as means of up to 64 stretches of equal length: what a rule that looks at
/// a window keeps of a pod. Shorter windows than `length` are looked at as they grow, in ever longer stretches.
struct Window {
  struct Point {
    var seconds: Double
    var held: Double
  }

  private(set) var points: [Point] = []
  private let length: Double
  private var stretch: Double
  private var origin: UInt64?
  private var sum = 0.0
  private var count = 0.0
  private var begun = 0.0

  init(length: Double) {
    self.length = length
    stretch = min(10, length / 64)
    points.reserveCapacity(65)
  }

  /// Takes a sample; true when a stretch is complete, and so the window has changed.
  mutating func add(_ sample: MemorySample) -> Bool {
    let start = origin ?? sample.at
    if origin == nil { origin = start }
    let seconds = Double(sample.at - start) / 1e6
    var isNew = false
    if count > 0, seconds >= begun + stretch {
      points.append(Point(seconds: begun, held: sum / count))
      (sum, count) = (0, 0)
      isNew = true
      if points.count >= 64 { shorten() }
    }
    if count == 0 { begun = seconds }
    // A reading of 0 is none: every one of the rules may know that.
    if sample.anon > 0 {
      sum += Double(sample.held)
      count += 1
    }
    return isNew
  }

  /// Seconds from the first to the last stretch.
  var span: Double { (points.last?.seconds ?? 0) - (points.first?.seconds ?? 0) }

  private mutating func shorten() {
    guard stretch < length / 64 else {
      let from = (points.last?.seconds ?? 0) - length
      points.removeAll { $0.seconds < from }
      if points.count >= 64 { points.removeFirst(points.count - 63) }
      return
    }
    stretch = min(stretch * 2, length / 64)
    points = stride(from: 0, to: points.count - 1, by: 2).map {
      Point(seconds: points[$0].seconds, held: (points[$0].held + points[$0 + 1].held) / 2)
    }
  }
}

/// A straight line through points.
struct Line {
  var slope: Double
  /// What the slope is known to.
  var slopeError: Double
  var atEnd: Double

  init?(_ points: some BidirectionalCollection<Window.Point>) {
    guard points.count >= 4, let last = points.last else { return nil }
    let count = Double(points.count)
    let meanTime = points.reduce(0) { $0 + $1.seconds } / count
    let mean = points.reduce(0) { $0 + $1.held } / count
    var (square, product) = (0.0, 0.0)
    for point in points {
      square += (point.seconds - meanTime) * (point.seconds - meanTime)
      product += (point.seconds - meanTime) * (point.held - mean)
    }
    guard square > 0 else { return nil }
    slope = product / square
    var rest = 0.0
    for point in points {
      let off = point.held - mean - slope * (point.seconds - meanTime)
      rest += off * off
    }
    slopeError = (rest / (count - 2) / square).squareRoot()
    atEnd = mean + slope * (last.seconds - meanTime)
  }
}
