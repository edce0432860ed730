import Glibc

extension Kind {
  /// Healthy memory that goes up and down all the time.
  static let breathing = [
    Kind("collector with small teeth") { random in
      collector(&random, amplitude: 0.02...0.08, samples: 20...120)
    },
    Kind("collector with large teeth") { random in
      collector(&random, amplitude: 0.15...0.5, samples: 30...400)
    },
    Kind("collector with slow teeth") { random in
      let period = random.logUniform(2 * 3600, 16 * 3600)
      var draft = Draft(&random, seconds: period * random.uniform(3, 20))
      let amplitude = random.uniform(0.1, 0.5)
      draft.warmUp(&random, to: random.uniform(0.55, 0.9) - amplitude)
      draft.sawtooth(&random, amplitude: amplitude, period: period)
      return draft
    },
    // gunicorn's --max-requests: each worker leaks and is replaced before that matters.
    Kind("workers are recycled") { random in
      var draft = Draft(&random, seconds: anyLength(&random), atLeast: 300)
      let workers = random.integer(1...6)
      let growth = random.uniform(0.1, 0.5)
      draft.warmUp(&random, to: random.uniform(0.5, 0.88) - growth)
      let period = draft.end / random.uniform(4, 40)
      for _ in 0..<workers {
        draft.sawtooth(&random, amplitude: growth / Double(workers), period: period, jitter: 0.15)
      }
      return draft
    },
    Kind("days") { random in
      var draft = Draft(&random, seconds: random.uniform(2, 14) * 86_400, spacings: [15, 30, 60])
      let base = random.uniform(0.2, 0.5)
      draft.warmUp(&random, to: base)
      let height = random.uniform(0.08, 0.88 - base)
      let (phase, sharp) = (86_400 * random.unit(), random.uniform(0.6, 2.5))
      let weekend = random.chance(0.5) ? random.uniform(0.2, 0.7) : 1
      let most = Double(random.integer(3...20))
      let usersFollow = random.chance(0.5)
      for index in draft.times.indices {
        let time = draft.times[index]
        let weekday = time.truncatingRemainder(dividingBy: 7 * 86_400) < 5 * 86_400
        let busy = Draft.day(time, phase: phase, sharp: sharp) * (weekday ? 1 : weekend)
        draft.held[index] += height * busy
        if usersFollow { draft.users[index] = Int((most * busy).rounded()) }
      }
      return draft
    },
    Kind("bursts of load") { random in
      var draft = Draft(&random, seconds: anyLength(&random))
      let base = random.uniform(0.15, 0.45)
      draft.warmUp(&random, to: base)
      let bursts = random.uniform(3, 40)
      draft.bursts(
        &random, rate: bursts * 3600 / draft.end, height: random.uniform(0.1, 0.86 - base),
        length: draft.end / bursts * random.uniform(0.1, 0.6))
      return draft
    },
    Kind("hourly jobs") { random in
      var draft = Draft(&random, seconds: random.uniform(6, 96) * 3600)
      let base = random.uniform(0.2, 0.6)
      draft.warmUp(&random, to: base)
      draft.jobs(
        &random, period: random.pick([1800, 3600, 3600, 7200]), height: random.uniform(0.05, 0.88 - base),
        length: random.uniform(60, 900))
      return draft
    },
    Kind("wanders about a mean") { random in
      var draft = Draft(&random, seconds: anyLength(&random))
      let deviation = random.uniform(0.02, 0.09)
      draft.warmUp(&random, to: random.uniform(0.3, 0.9 - 2 * deviation))
      draft.wander(&random, deviation: deviation, memory: draft.end / random.logUniform(8, 100))
      return draft
    },
  ]

  private static func collector(
    _ random: inout Random, amplitude: ClosedRange<Double>, samples: ClosedRange<Int>
  ) -> Draft {
    var draft = Draft(&random, seconds: anyLength(&random), atLeast: Double(samples.upperBound) * 2)
    let amplitude = random.uniform(amplitude.lowerBound, amplitude.upperBound)
    draft.warmUp(&random, to: random.uniform(max(0.4, amplitude + 0.05), 0.9) - amplitude)
    draft.sawtooth(&random, amplitude: amplitude, period: draft.spacing * Double(random.integer(samples)))
    return draft
  }
}
