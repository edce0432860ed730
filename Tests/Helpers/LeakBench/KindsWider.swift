import Glibc

/// Kinds that were added when the rules were tried on traces of others: other beginnings, other noise, other spacings.
/// They are a set of their own, so that a seed draws the same traces of the first set as before.
extension Kind {
  static let widerHealthy = [
    Kind("stands at 60 to 97 %") { random in
      var draft = Draft(&random, seconds: anyLength(&random), spacings: rare)
      let level = random.uniform(0.6, 0.97)
      draft.begin(&random, level)
      draft.noise = min(draft.noise, (0.99 - level) / 5)
      draft.noiseKind = .any(&random)
      return draft
    },
    Kind("slows down to 60 to 97 %") { random in
      var draft = Draft(&random, seconds: anyLength(&random), spacings: rare)
      let level = random.uniform(0.6, 0.97)
      let (constant, bend) = (draft.end / random.uniform(5, 30), random.pick([0.7, 1, 1, 1.5]))
      draft.add { level * (1 - 0.9 * exp(-pow($0 / constant, bend))) }
      draft.noise = min(draft.noise, (0.99 - level) / 5)
      return draft
    },
    Kind("loads its data within minutes") { random in
      var draft = Draft(&random, seconds: random.logUniform(1800, 86_400), spacings: [1, 2, 5, 10])
      let (level, load) = (random.uniform(0.6, 0.96), random.uniform(40, 500))
      let step = random.chance(0.4) ? random.uniform(0.005, 0.035) : 0.0001
      draft.add { time in
        let grown = (level - 0.04) * min(1, time / load)
        return 0.04 + (time < load ? (grown / step).rounded(.down) * step : grown)
      }
      draft.noise = min(draft.noise, (0.99 - level) / 5)
      return draft
    },
    Kind("cache whose end comes slowly") { random in
      var draft = Draft(&random, seconds: anyLength(&random))
      let (base, top) = (random.uniform(0.05, 0.25), random.uniform(0.55, 0.93))
      let (full, knee) = (draft.end * random.uniform(0.15, 0.6), random.uniform(0.5, 0.8))
      draft.add { time in
        let part = time / full
        return base + (top - base) * (part < knee ? part : 1 - (1 - knee) * exp(-(part - knee) / (1 - knee)))
      }
      draft.noise = min(draft.noise, 0.006)
      return draft
    },
    Kind("heap that is widened") { random in
      var draft = Draft(&random, seconds: anyLength(&random), atLeast: 400)
      let (peak, heap, wider) = (
        random.uniform(0.6, 0.92), random.uniform(0.15, 0.35), random.uniform(1.15, 1.7)
      )
      let moments = (0..<random.integer(1...5)).map { _ in draft.end * random.uniform(0.02, 0.9) }
      var teeth = draft
      teeth.sawtooth(&random, amplitude: 0.45, period: draft.end / random.logUniform(15, 150))
      for index in draft.times.indices {
        let time = draft.times[index]
        let top = min(peak, heap * pow(wider, Double(moments.count { $0 <= time })))
        draft.held[index] = top * (0.55 + teeth.held[index])
      }
      return draft
    },
    Kind("users swing") { random in
      var draft = Draft(&random, seconds: anyLength(&random), atLeast: 200)
      let level = random.uniform(0.1, 0.35)
      draft.begin(&random, level)
      let most = random.integer(4...30)
      let each = random.uniform(0.15, 0.85 - level) / Double(most)
      draft.swing(&random, most: most)
      for index in draft.times.indices { draft.held[index] += each * Double(draft.users[index]) }
      return draft
    },
    Kind("jobs of any size") { random in
      var draft = Draft(&random, seconds: anyLength(&random), atLeast: 200)
      let level = random.uniform(0.15, 0.5)
      draft.begin(&random, level)
      let number = random.uniform(10, 60)
      draft.bursts(
        &random, rate: number * 3600 / draft.end, height: random.uniform(0.1, 0.88 - level),
        length: draft.end / number * random.uniform(0.2, 0.9))
      draft.noiseKind = .any(&random)
      return draft
    },
    Kind("flat in any noise") { random in
      var draft = Draft(&random, seconds: anyLength(&random), spacings: rare)
      draft.noise = random.uniform(0.005, 0.035)
      draft.begin(&random, random.uniform(0.3, 0.97 - 5 * draft.noise))
      draft.noiseKind = .any(&random)
      return draft
    },
    Kind("cache fills to its cap in any noise") { random in
      var draft = Draft(&random, seconds: anyLength(&random), spacings: rare)
      let (base, cap) = (random.uniform(0.05, 0.3), random.uniform(0.4, 0.9))
      let full = draft.end * random.uniform(0.1, 0.75)
      draft.add { base + (cap - base) * min(1, $0 / full) }
      draft.noiseKind = .any(&random)
      return draft
    },
  ]

  static let widerLeaking = [
    Kind("climb from the first sample on") { random in
      let (length, level) = (random.uniform(600, 1800), random.uniform(0.2, 0.35))
      var draft = Draft(&random, seconds: length * 1.5, atLeast: 10, spacings: [10])
      draft.add { level + (1 - level) * $0 / length }
      draft.leaks = [(0, nil, nil)]
      draft.noiseKind = .any(&random)
      return draft
    },
    Kind("climb after calm") { random in
      climb(&random, length: 600...3600, calm: 120...7200, level: 0.15...0.6, spacings: [5, 10, 10, 20])
    },
    Kind("leak in white noise of 3 %") { random in
      let length = random.logUniform(2 * 3600, 72 * 3600)
      var draft = climb(
        &random, length: length...length, calm: 0...60, level: 0.2...0.5, spacings: [10, 10, 30])
      draft.noise = random.uniform(0.025, 0.035)
      draft.noiseKind = .white
      return draft
    },
    Kind("straight leak after a warm-up") { random in
      let warm = random.logUniform(60, 1800)
      var draft = climb(
        &random, length: 900...86_400, calm: warm...warm, level: 0.01...0.02, spacings: [10, 10, 15, 30])
      let level = random.uniform(0.2, 0.5)
      draft.add { level * (1 - exp(-4 * $0 / warm)) }
      return draft
    },
    Kind("sawtooth from the middle on") { random in
      let length = random.logUniform(3600, 2 * 86_400)
      var draft = climb(
        &random, length: length...length, calm: 0...60, level: 0.15...0.45, spacings: [10, 10, 30])
      var teeth = draft
      teeth.held = teeth.held.map { _ in 0 }
      teeth.sawtooth(&random, amplitude: random.uniform(0.03, 0.2), period: length / random.uniform(10, 150))
      let since = length * random.uniform(0, 0.8)
      for index in draft.times.indices where draft.times[index] >= since {
        draft.held[index] += teeth.held[index]
      }
      return draft
    },
    Kind("collections leave more each time") { random in
      let (length, level) = (random.logUniform(2 * 3600, 2 * 86_400), random.uniform(0.1, 0.3))
      let (ceiling, count) = (random.uniform(0.5, 0.85), random.uniform(15, 150))
      var draft = Draft(&random, seconds: length * 1.3, atLeast: 400)
      draft.add { time in
        let floor = level + (1 - level) * time / length
        let room = max(ceiling - floor, 0.02)
        return floor + room
          * (time * count / length * (ceiling - level) / room).truncatingRemainder(dividingBy: 1)
      }
      draft.leaks = [(0, nil, nil)]
      return draft
    },
    Kind("leak while users swing") { random in
      var draft = climb(
        &random, length: 3600...172_800, calm: 0...600, level: 0.1...0.3, spacings: [10, 10, 30], atLeast: 200
      )
      let most = random.integer(4...30)
      draft.swing(&random, most: most)
      let each = random.uniform(0.02, 0.2) / Double(most)
      for index in draft.times.indices { draft.held[index] += each * Double(draft.users[index]) }
      return draft
    },
    Kind("climb while its users are counted") { random in
      // podd knows of the users a little after the program began to work for them.
      var draft = climb(
        &random, length: 600...3600, calm: 0...60, level: 0.1...0.4, spacings: [5, 10, 10])
      let (most, within) = (random.integer(1...20), random.uniform(10, 900))
      draft.users = draft.times.map { Int((Double(most) * min(1, $0 / within)).rounded()) }
      return draft
    },
    Kind("leak of arenas") { random in
      let (length, level) = (random.logUniform(1800, 2 * 86_400), random.uniform(0.1, 0.4))
      var draft = Draft(&random, seconds: length * 2, atLeast: 120)
      draft.begin(&random, level)
      let size = random.uniform(0.01, 0.06)
      var (grown, next) = (0.0, 0.0)
      for index in draft.times.indices {
        while draft.times[index] >= next {
          grown += size
          next += (0.4 + 0.6 * random.exponential()) * length * size / (1 - level)
        }
        draft.held[index] += grown
      }
      draft.leaks = [(0, nil, nil)]
      return draft
    },
    Kind("leak that rests") { random in
      let (length, level) = (random.logUniform(3600, 2 * 86_400), random.uniform(0.1, 0.4))
      var draft = Draft(&random, seconds: length * 3, atLeast: 300)
      draft.begin(&random, level)
      var (grown, until, grows) = (0.0, 0.0, false)
      for index in draft.times.indices {
        if draft.times[index] >= until {
          grows.toggle()
          until = draft.times[index] + length * random.uniform(0.03, 0.25)
        }
        if grows { grown += (1 - level) * draft.spacing / length }
        draft.held[index] += grown
      }
      draft.leaks = [(0, nil, nil)]
      return draft
    },
    Kind("leak that slows down") { random in
      let (length, level) = (random.logUniform(3600, 3 * 86_400), random.uniform(0.1, 0.35))
      let power = random.uniform(0.65, 0.9)
      var draft = Draft(&random, seconds: length * 1.6, atLeast: 200)
      draft.begin(&random, level)
      draft.add { (1 - level) * pow($0 / length, power) }
      draft.leaks = [(0, nil, nil)]
      return draft
    },
    Kind("leak seen rarely") { random in
      climb(
        &random, length: 10_800...400_000, calm: 0...3600, level: 0.1...0.5, spacings: [60, 90, 120, 180],
        atLeast: 60)
    },
    Kind("leak in any noise") { random in
      var draft = climb(&random, length: 1800...172_800, calm: 0...1800, level: 0.1...0.5, spacings: rare)
      draft.noiseKind = .any(&random)
      return draft
    },
  ]

  private static let rare = [3.0, 7, 10, 10, 12, 20, 45, 60, 90]

  /// A straight line from `level` to the limit within `length` seconds, after `calm` seconds.
  private static func climb(
    _ random: inout Random, length: ClosedRange<Double>, calm: ClosedRange<Double>,
    level: ClosedRange<Double>,
    spacings: [Double], atLeast: Double = 60
  ) -> Draft {
    let length = random.logUniform(length.lowerBound, length.upperBound)
    let calm =
      calm.lowerBound > 0
      ? random.logUniform(calm.lowerBound, calm.upperBound) : random.uniform(0, calm.upperBound)
    let level = random.uniform(level.lowerBound, level.upperBound)
    var draft = Draft(&random, seconds: calm + length * 1.5, atLeast: atLeast, spacings: spacings)
    draft.begin(&random, level)
    draft.add { max(0, $0 - calm) * (1 - level) / length }
    draft.leaks = [(calm, nil, nil)]
    return draft
  }
}

extension Draft {
  /// Adds the memory of a program that runs already, or comes to `level` in one of four ways.
  fileprivate mutating func begin(_ random: inout Random, _ level: Double) {
    let span = min(random.logUniform(5, 300), end / 20)
    switch random.integer(0...4) {
    case 0: add { _ in level }
    case 1: add { level * (1 - 0.95 * exp(-3 * $0 / span)) }
    case 2: add { level * min(1, 0.05 + 0.95 * $0 / span) }
    case 3:
      let stages = (0..<random.integer(1...4)).map { _ in span * random.unit() }
      add { time in level * Double(1 + stages.count { $0 <= time }) / Double(1 + stages.count) }
    default:
      // The start needs more than what comes after it.
      let over = min(random.uniform(1.02, 1.15), max(1, 0.95 / level))
      add { level * (min(1, $0 / span) * over - (over - 1) * (1 - exp(-max(0, $0 - span) / span))) }
    }
  }

  /// Users who come and go in a rhythm of their own.
  fileprivate mutating func swing(_ random: inout Random, most: Int) {
    let period = random.logUniform(min(1800, end / 4), 2 * end)
    let phase = random.unit()
    users = times.map { time in
      max(1, Int((Double(most) * (0.5 + 0.48 * sin(2 * .pi * (time / period + phase)))).rounded()))
    }
  }
}
