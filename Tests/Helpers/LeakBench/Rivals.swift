import Glibc
import PodModel
internal import Time

/// PM2's rule (`max_memory_restart`): above 80 % of the limit for `hold` seconds.
struct Threshold: Rule {
  enum Signal: String { case current, held }

  let limit: Double
  let hold: Microseconds
  let signal: Signal
  private var since: LoopTime?

  init(limit: Double, hold: Double, signal: Signal) {
    self.limit = limit
    self.hold = Microseconds(seconds: hold)
    self.signal = signal
  }

  mutating func add(_ sample: MemorySample) -> Bool {
    let value = signal == .current ? sample.current : sample.held
    guard Double(value) >= 0.8 * limit else {
      since = nil
      return false
    }
    let since = since ?? sample.at
    self.since = since
    return sample.at - since >= hold
  }
}

/// Least squares over a window: a slope that is significant, and a forecast that meets the limit within `horizon`.
struct LeastSquares: Rule {
  let limit: Double
  let horizon: Double
  let score: Double
  private var window: Window

  init(limit: Double, window length: Double, horizon: Double, score: Double) {
    self.limit = limit
    self.horizon = horizon
    self.score = score
    window = Window(length: length)
  }

  mutating func add(_ sample: MemorySample) -> Bool {
    guard window.add(sample), window.points.count >= 12, let line = Line(window.points) else { return false }
    return line.slope > score * line.slopeError && line.slope * horizon >= limit - line.atEnd
  }
}

/// Mann and Kendall's test for a trend, with Sen's slope for the forecast.
struct MannKendall: Rule {
  let limit: Double
  let horizon: Double
  let score: Double
  private var window: Window

  init(limit: Double, window length: Double, horizon: Double, score: Double) {
    self.limit = limit
    self.horizon = horizon
    self.score = score
    window = Window(length: length)
  }

  mutating func add(_ sample: MemorySample) -> Bool {
    guard window.add(sample), window.points.count >= 12, let last = window.points.last else { return false }
    let points = window.points
    var signs = 0
    for later in points.indices.dropFirst() {
      for earlier in 0..<later {
        let difference = points[later].held - points[earlier].held
        signs += difference > 0 ? 1 : difference < 0 ? -1 : 0
      }
    }
    let count = Double(points.count)
    let deviation = sqrt(count * (count - 1) * (2 * count + 5) / 18)
    guard Double(signs - 1) / deviation >= score else { return false }
    // Sen's slope is the median of the slopes of all pairs, so at least half of the slopes must suffice.
    let needed = (limit - last.held) / horizon
    var enough = 0
    for later in points.indices.dropFirst() {
      for earlier in 0..<later {
        let difference = points[later].held - points[earlier].held
        if difference >= needed * (points[later].seconds - points[earlier].seconds) { enough += 1 }
      }
    }
    return enough * 4 >= points.count * (points.count - 1)
  }
}

/// Coroot's rule (facts 23): the series is split where it falls by half. The longest piece must grow by at least 5 % of
/// the limit per hour, and its last quarter at no less than 30 % of the rate of the whole piece.
struct SplitAndTail: Rule {
  let limit: Double
  let least: Double
  private var window: Window

  init(limit: Double, window length: Double, least: Double) {
    self.limit = limit
    self.least = least
    window = Window(length: length)
  }

  mutating func add(_ sample: MemorySample) -> Bool {
    guard window.add(sample), window.span >= least else { return false }
    var longest = 0..<0
    var begun = 0
    for index in window.points.indices {
      if index > begun, window.points[index].held < window.points[index - 1].held / 2 { begun = index }
      if index + 1 - begun > longest.count { longest = begun..<(index + 1) }
    }
    let piece = window.points[longest]
    guard piece.count >= 16, let whole = Line(piece), let tail = Line(piece.suffix(piece.count / 4)) else {
      return false
    }
    return whole.slope * 3600 >= 0.05 * limit && tail.slope >= 0.3 * whole.slope
  }
}
