import Glibc

/// A pod's memory before noise is added: shares of its limit at the times of its samples.
struct Draft {
  /// Seconds, at regular intervals; `trace` makes them late, as on a busy host.
  let times: [Double]
  let spacing: Double
  var held: [Double]
  /// The part of `held` that is in swap.
  var swap: [Double]
  var file: [Double]
  var users: [Int]
  /// The standard deviation of the noise of a sample.
  var noise: Double
  var noiseKind = NoiseKind.usual
  /// When each leak starts, when a restart of the program ends it, if one does, and when it meets the limit; seconds.
  var leaks: [(starts: Double, ends: Double?, meetsLimit: Double?)] = []

  /// The highest number of samples of a trace: fourteen days, one sample per minute.
  static let most = 14.0 * 1440

  var end: Double { times.last ?? 0 }

  /// A draft of `seconds`, with a spacing that gives at least `atLeast` samples and at most `most`.
  init(
    _ random: inout Random, seconds: Double, atLeast: Double = 90,
    spacings: [Double] = [1, 2, 5, 10, 10, 10, 15, 30, 60]
  ) {
    let fitting = spacings.filter { (atLeast...Self.most).contains(seconds / $0) }
    let spacing = fitting.isEmpty ? max(1, min(60, seconds / atLeast)) : random.pick(fitting)
    let count = max(2, Int(min(seconds / spacing, Self.most)))
    self.spacing = spacing
    times = (0..<count).map { Double($0) * spacing }
    held = Array(repeating: 0, count: count)
    swap = held
    let cached = random.uniform(0, 0.08)
    file = Array(repeating: cached, count: count)
    users = Array(repeating: random.integer(1...20), count: count)
    noise = random.logUniform(0.0003, 0.012)
  }

  /// Adds `share(seconds)` of the limit to the memory.
  mutating func add(_ share: (Double) -> Double) {
    for index in times.indices { held[index] += share(times[index]) }
  }

  /// Adds the memory of a program that starts: it grows fast at first, up to `level`. In three of ten traces the
  /// program has been running for a while.
  mutating func warmUp(_ random: inout Random, to level: Double, within seconds: ClosedRange<Double>? = nil) {
    let within = seconds ?? 5...max(6, min(600, end / 20))
    let constant = random.logUniform(within.lowerBound, within.upperBound)
    let ran = random.chance(0.3) ? constant * 20 : 0
    add { level * (1 - 0.9 * exp(-($0 + ran) / constant)) }
  }

  /// Adds growth by `amplitude` that falls to zero about every `period` seconds, as with a garbage collector.
  mutating func sawtooth(_ random: inout Random, amplitude: Double, period: Double, jitter: Double = 0.25) {
    var begun = -period * random.unit()
    var length = period * (1 + jitter * random.uniform(-1, 1))
    var height = amplitude
    for index in times.indices {
      if times[index] >= begun + length {
        begun = times[index]
        length = period * (1 + jitter * random.uniform(-1, 1))
        height = amplitude * (1 + jitter * random.uniform(-0.4, 0))
      }
      held[index] += height * min(1, (times[index] - begun) / length)
    }
  }

  /// Adds a random walk around 0 with the standard deviation `deviation`; values more than `memory` seconds apart are
  /// nearly independent.
  mutating func wander(_ random: inout Random, deviation: Double, memory: Double) {
    let kept = exp(-spacing / memory)
    var value = deviation * random.gaussian()
    for index in times.indices {
      value = kept * value + sqrt(1 - kept * kept) * deviation * random.gaussian()
      // The clamp keeps the walk near its mean.
      held[index] += max(-2 * deviation, min(2 * deviation, value))
    }
  }

  /// Adds bursts: `rate` times an hour, up to `height`, for about `length` seconds.
  mutating func bursts(_ random: inout Random, rate: Double, height: Double, length: Double) {
    var next = random.exponential() * 3600 / rate
    var until = 0.0
    var wanted = 0.0
    var value = 0.0
    for index in times.indices {
      if times[index] >= next {
        until = next + length * random.uniform(0.3, 1.7)
        next = until + random.exponential() * 3600 / rate
        wanted = height * random.uniform(0.3, 1)
      }
      let target = times[index] < until ? wanted : 0
      value += (target - value) * (1 - exp(-spacing / (length / 6)))
      held[index] += value
    }
  }

  /// Adds jobs that run every `period` seconds for `length` seconds and need `height`.
  mutating func jobs(_ random: inout Random, period: Double, height: Double, length: Double) {
    let phase = period * random.unit()
    for index in times.indices where (times[index] + phase).truncatingRemainder(dividingBy: period) < length {
      held[index] += height * random.uniform(0.85, 1)
    }
  }

  /// 0 at night, up to 1 by day; a high `sharp` makes the busy hours short.
  static func day(_ seconds: Double, phase: Double, sharp: Double = 1) -> Double {
    let wave = (1 - cos(2 * .pi * (seconds + phase) / 86_400)) / 2
    return pow(wave, sharp)
  }

  /// Restarts the program at `time`: its memory starts at zero again.
  mutating func restart(at time: Double, to level: Double, warmUp constant: Double) {
    for index in times.indices where times[index] >= time {
      held[index] = level * (1 - 0.9 * exp(-(times[index] - time) / constant))
    }
  }
}
