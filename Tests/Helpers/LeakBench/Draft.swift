import Glibc

/// What a pod's memory does before anybody reads it: shares of its limit at the times of its samples.
struct Draft {
  /// Seconds, regular; `Noise` makes them what a busy host's are.
  let times: [Double]
  let spacing: Double
  var held: [Double]
  /// Which part of `held` is in the swap.
  var swap: [Double]
  var file: [Double]
  var users: [Int]
  /// Standard deviation of the noise of a reading.
  var noise: Double
  /// When it begins to leak and, where a restart of the program ends that, when; seconds.
  var leaks: [(starts: Double, ends: Double?, meetsLimit: Double?)] = []

  /// How many samples a trace has at most: fourteen days, one a minute.
  static let most = 14.0 * 1440

  var end: Double { times.last ?? 0 }

  /// `seconds` long, with a spacing that gives at least `atLeast` samples, and not more than `most`.
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

  /// Adds `share(seconds)` of the limit to what is held.
  mutating func add(_ share: (Double) -> Double) {
    for index in times.indices { held[index] += share(times[index]) }
  }

  /// A program that starts: fast at first, then at `level`. In three of ten traces it runs already.
  mutating func warmUp(_ random: inout Random, to level: Double, within seconds: ClosedRange<Double>? = nil) {
    let within = seconds ?? 5...max(6, min(600, end / 20))
    let constant = random.logUniform(within.lowerBound, within.upperBound)
    let ran = random.chance(0.3) ? constant * 20 : 0
    add { level * (1 - 0.9 * exp(-($0 + ran) / constant)) }
  }

  /// Falls back to nothing, each `period` seconds or so, having grown by `amplitude`: a garbage collector.
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

  /// Wanders about 0 with the standard deviation `deviation` and forgets within `memory` seconds where it was.
  mutating func wander(_ random: inout Random, deviation: Double, memory: Double) {
    let kept = exp(-spacing / memory)
    var value = deviation * random.gaussian()
    for index in times.indices {
      value = kept * value + sqrt(1 - kept * kept) * deviation * random.gaussian()
      // What reverts to a mean does not go anywhere.
      held[index] += max(-2 * deviation, min(2 * deviation, value))
    }
  }

  /// Goes up for a while now and then: `rate` times an hour, up to `height`, for about `length` seconds.
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

  /// Jobs that run each `period` seconds for `length` and need `height`.
  mutating func jobs(_ random: inout Random, period: Double, height: Double, length: Double) {
    let phase = period * random.unit()
    for index in times.indices where (times[index] + phase).truncatingRemainder(dividingBy: period) < length {
      held[index] += height * random.uniform(0.85, 1)
    }
  }

  /// 0 by night, up to 1 by day; `sharp` is nearly on or off.
  static func day(_ seconds: Double, phase: Double, sharp: Double = 1) -> Double {
    let wave = (1 - cos(2 * .pi * (seconds + phase) / 86_400)) / 2
    return pow(wave, sharp)
  }

  /// The program starts anew at `time`: what it has held until then is gone.
  mutating func restart(at time: Double, to level: Double, warmUp constant: Double) {
    for index in times.indices where times[index] >= time {
      held[index] = level * (1 - 0.9 * exp(-(times[index] - time) / constant))
    }
  }
}
