import PodModel
internal import Time

/// The last `length` seconds of unreclaimable memory, as means of up to 64 intervals of equal length, for rules that
/// use a window. Before `length` seconds have passed, the window grows and so do its intervals.
struct Window {
  struct Point {
    var seconds: Double
    var held: Double
  }

  private(set) var points: [Point] = []
  private let length: Double
  private var interval: Double
  private var origin: LoopTime?
  private var sum = 0.0
  private var count = 0.0
  private var begun = 0.0

  init(length: Double) {
    self.length = length
    interval = min(10, length / 64)
    points.reserveCapacity(65)
  }

  /// Adds a sample; returns true if an interval is complete, and so the window has changed.
  mutating func add(_ sample: MemorySample) -> Bool {
    let start = origin ?? sample.at
    if origin == nil { origin = start }
    let seconds = (sample.at - start).seconds
    var isNew = false
    if count > 0, seconds >= begun + interval {
      points.append(Point(seconds: begun, held: sum / count))
      (sum, count) = (0, 0)
      isNew = true
      if points.count >= 64 { shorten() }
    }
    if count == 0 { begun = seconds }
    // A value of 0 is a failed reading; every rule may know that.
    if sample.anon > 0 {
      sum += Double(sample.held)
      count += 1
    }
    return isNew
  }

  /// Seconds from the first to the last interval.
  var span: Double { (points.last?.seconds ?? 0) - (points.first?.seconds ?? 0) }

  private mutating func shorten() {
    guard interval < length / 64 else {
      let from = (points.last?.seconds ?? 0) - length
      points.removeAll { $0.seconds < from }
      if points.count >= 64 { points.removeFirst(points.count - 63) }
      return
    }
    interval = min(interval * 2, length / 64)
    points = stride(from: 0, to: points.count - 1, by: 2).map {
      Point(seconds: points[$0].seconds, held: (points[$0].held + points[$0 + 1].held) / 2)
    }
  }
}

/// A straight line through points.
struct Line {
  var slope: Double
  /// The standard error of the slope.
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
