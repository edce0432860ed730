import Glibc

extension Kind {
  /// Leaks, each of which meets the limit unless the pod is recycled.
  static let leaking = [
    Kind("slow leak") { random in Plan(&random, hours: 2...240).draft },
    Kind("fast leak") { random in
      let length = random.logUniform(180, 1800)
      return Plan(
        &random, length: length, before: random.uniform(60, 1800), atLeast: 20, spacings: [1, 2, 5, 10]
      ).draft
    },
    Kind("leak under a collector") { random in
      var plan = Plan(&random, hours: 1...96, atLeast: 400)
      plan.draft.sawtooth(
        &random, amplitude: random.uniform(0.04, 0.2), period: plan.length / random.uniform(15, 120))
      return plan.draft
    },
    Kind("late leak") { random in
      let length = random.logUniform(1200, 86_400)
      return Plan(&random, length: length, before: length * random.uniform(1, 6)).draft
    },
    // The host is short of memory and swaps out pages that the pod does not use; anon and swap together keep growing.
    Kind("leak into swap") { random in
      var plan = Plan(&random, hours: 1...96)
      let room = random.uniform(0.4, 0.8)
      for index in plan.draft.times.indices {
        plan.draft.swap[index] = max(0, plan.draft.held[index] - room)
      }
      return plan.draft
    },
    Kind("leaks one after the other") { random in leakAgainAndAgain(&random) },
    Kind("leak in busy hours") { random in
      var plan = Plan(
        &random, length: random.uniform(2, 7) * 86_400, before: 3600, spacings: [30, 60], grows: false)
      let (phase, part) = (86_400 * random.unit(), random.uniform(0.3, 0.6))
      let usersFollow = random.chance(0.5)
      let most = random.integer(2...20)
      var grown = 0.0
      for index in plan.draft.times.indices {
        let hour = ((plan.draft.times[index] + phase) / 86_400).truncatingRemainder(dividingBy: 1)
        if usersFollow { plan.draft.users[index] = hour < part ? most : 0 }
        if plan.draft.times[index] >= plan.starts, hour < part {
          grown += plan.rise * plan.draft.spacing / plan.length / part
        }
        plan.draft.held[index] += grown
      }
      return plan.draft
    },
    Kind("accelerating leak") { random in
      var plan = Plan(&random, hours: 1...96, grows: false)
      let bend = random.uniform(1, 3)
      plan.grow { (exp(bend * $0) - 1) / (exp(bend) - 1) }
      return plan.draft
    },
    // An allocator requests memory from the kernel in large pieces.
    Kind("leak in steps") { random in
      var plan = Plan(&random, hours: 1...96, grows: false)
      let step = random.uniform(0.005, 0.05)
      var moments: [Double] = []
      var moment = 0.0
      while moment < 2.5 {
        moment += step * random.uniform(0.3, 1.7)
        moments.append(moment)
      }
      plan.grow { part in
        // The number of steps until now, by binary search.
        var (low, high) = (0, moments.count)
        while low < high {
          let middle = (low + high) / 2
          if moments[middle] <= part { low = middle + 1 } else { high = middle }
        }
        return Double(low) * step
      }
      return plan.draft
    },
    Kind("leak in heavy noise") { random in
      var plan = Plan(&random, hours: 1...96, atLeast: 300)
      plan.draft.noise = random.uniform(0.015, 0.04)
      return plan.draft
    },
    Kind("leak after a long warm-up") { random in
      let length = random.logUniform(3600, 4 * 86_400)
      var plan = Plan(&random, length: length, before: length * random.uniform(0.2, 1), level: 0.02...0.05)
      let rise = random.uniform(0.2, 0.5)
      let constant = plan.starts / random.uniform(1, 6)
      plan.draft.add { rise * (1 - exp(-$0 / constant)) }
      return plan.draft
    },
    Kind("leak while a cache fills") { random in
      var plan = Plan(&random, hours: 1...96, level: 0.05...0.2)
      let (rise, constant) = (random.uniform(0.1, 0.4), plan.length / random.uniform(3, 20))
      plan.draft.add { rise * (1 - exp(-$0 / constant)) }
      return plan.draft
    },
    Kind("leak while users join") { random in
      var plan = Plan(&random, hours: 2...96, level: 0.05...0.2)
      let most = random.integer(3...15)
      let each = random.uniform(0.1, 0.4) / Double(most)
      let moments = [0] + (1..<most).map { _ in plan.draft.end * 0.6 * random.unit() }.sorted()
      plan.draft.users = plan.draft.times.map { time in moments.count { $0 <= time } }
      for moment in moments { plan.draft.add { $0 < moment ? 0 : each } }
      return plan.draft
    },
    Kind("leak beside a page cache") { random in
      var plan = Plan(&random, hours: 1...96)
      let (rate, phase) = (random.uniform(2, 20), random.unit())
      for index in plan.draft.times.indices {
        let part = (plan.draft.times[index] / plan.length * rate + phase).truncatingRemainder(dividingBy: 1)
        plan.draft.file[index] += 0.6 * part
      }
      return plan.draft
    },
    Kind("leak after growth that ended") { random in
      let length = random.logUniform(3600, 4 * 86_400)
      var plan = Plan(&random, length: length, before: length * random.uniform(1, 3), level: 0.05...0.2)
      let rise = random.uniform(0.15, 0.45)
      let (from, until) = (plan.starts * random.uniform(0.05, 0.3), plan.starts * random.uniform(0.4, 0.8))
      plan.draft.add { rise * max(0, min(1, ($0 - from) / (until - from))) }
      return plan.draft
    },
    Kind("leak under the days") { random in
      var plan = Plan(
        &random, length: random.uniform(2, 7) * 86_400, before: 7200, spacings: [30, 60], level: 0.1...0.4)
      let (height, phase) = (random.uniform(0.04, 0.2), 86_400 * random.unit())
      plan.draft.add { height * Draft.day($0, phase: phase) }
      return plan.draft
    },
    Kind("leak under hourly jobs") { random in
      var plan = Plan(&random, hours: 8...96)
      plan.draft.jobs(
        &random, period: 3600, height: random.uniform(0.03, 0.15), length: random.uniform(60, 600))
      return plan.draft
    },
    Kind("leak in a wandering pod") { random in
      var plan = Plan(&random, hours: 4...96)
      plan.draft.wander(
        &random, deviation: random.uniform(0.01, 0.05), memory: plan.length / random.logUniform(20, 200))
      return plan.draft
    },
  ]

  /// The program restarts itself once or more, and leaks each time.
  private static func leakAgainAndAgain(_ random: inout Random) -> Draft {
    let length = random.logUniform(3600, 2 * 86_400)
    let rounds = random.integer(1...3)
    // The level that each round reaches; only the last round meets the limit.
    let reached = (0..<rounds).map { _ in random.uniform(0.5, 0.95) }
    var plan = Plan(&random, length: length * 4.5, before: 0, grows: false)
    plan.draft.leaks = []
    let level = random.uniform(0.1, 0.4)
    var begun = 0.0
    plan.draft.held = plan.draft.held.map { _ in 0 }
    for (round, part) in (reached + [2]).enumerated() {
      let rate = (1 - level) / (length * random.uniform(0.7, 1.1))
      let starts = begun + length * random.uniform(0.02, 0.1)
      let ends = round < rounds ? starts + (part - level) / rate : Double.infinity
      plan.draft.add { time in
        guard time >= begun, time < ends else { return 0 }
        return level * (1 - 0.9 * exp(-(time - begun) / 60)) + rate * max(0, time - starts)
      }
      let isLast = ends == .infinity
      plan.draft.leaks.append((starts, isLast ? nil : ends, isLast ? nil : starts + (1 - level) / rate))
      begun = ends
    }
    return plan.draft
  }
}

/// A pod that warms up, runs for a while and then leaks.
private struct Plan {
  var draft: Draft
  let starts: Double
  /// Seconds from the leak's start to the limit, if nothing else grew.
  let length: Double
  /// The growth that is needed to meet the limit.
  let rise: Double

  init(
    _ random: inout Random, hours: ClosedRange<Double>, atLeast: Double = 120, grows: Bool = true,
    level: ClosedRange<Double> = 0.1...0.5
  ) {
    let length = random.logUniform(hours.lowerBound * 3600, hours.upperBound * 3600)
    self.init(
      &random, length: length, before: length * random.uniform(0.02, 0.5), atLeast: atLeast, level: level,
      grows: grows)
  }

  init(
    _ random: inout Random, length: Double, before: Double, atLeast: Double = 120,
    spacings: [Double] = [1, 2, 5, 10, 10, 10, 15, 30, 60], level: ClosedRange<Double> = 0.1...0.5,
    grows: Bool = true
  ) {
    // Twice the expected time, because noise and a level that wanders may delay the end.
    let atLeast = min(atLeast * 2, (before + length * 2) / (spacings.min() ?? 1))
    draft = Draft(&random, seconds: before + length * 2, atLeast: atLeast, spacings: spacings)
    self.length = length
    starts = before
    let level = random.uniform(level.lowerBound, level.upperBound)
    rise = 1 - level
    draft.warmUp(&random, to: level, within: 5...max(6, min(600, before / 6)))
    draft.leaks = [(starts, nil, nil)]
    if grows { grow { $0 } }
  }

  /// Adds growth: `part` is 0 when the leak starts and 1 after `length`.
  mutating func grow(_ part: (Double) -> Double) {
    let (starts, length, rise) = (starts, length, rise)
    draft.add { $0 < starts ? 0 : rise * part(($0 - starts) / length) }
  }
}
