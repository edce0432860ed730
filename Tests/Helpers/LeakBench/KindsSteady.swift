import Glibc

extension Kind {
  /// Healthy memory that stays at a level after a while.
  static let steady = [
    Kind("warm-up then flat") { random in
      var draft = Draft(&random, seconds: anyLength(&random))
      draft.warmUp(&random, to: random.uniform(0.15, 0.88), within: 30...max(40, min(3600, draft.end / 10)))
      return draft
    },
    Kind("flat near the limit") { random in
      var draft = Draft(&random, seconds: anyLength(&random))
      let level = random.uniform(0.85, 0.94)
      draft.noise = min(draft.noise, 0.006)
      draft.add { _ in level }
      return draft
    },
    Kind("noisy but flat") { random in
      var draft = Draft(&random, seconds: anyLength(&random))
      draft.warmUp(&random, to: random.uniform(0.3, 0.75))
      draft.noise = random.uniform(0.02, 0.06)
      return draft
    },
    Kind("page cache fills") { random in
      var draft = Draft(&random, seconds: anyLength(&random))
      draft.warmUp(&random, to: random.uniform(0.1, 0.6))
      let constant = draft.end / random.uniform(2, 10)
      for index in draft.times.indices {
        draft.file[index] += 1.2 * (1 - exp(-draft.times[index] / constant))
      }
      return draft
    },
    Kind("jumps") { random in
      var draft = Draft(&random, seconds: anyLength(&random))
      let level = random.uniform(0.1, 0.35)
      draft.warmUp(&random, to: level)
      let count = random.integer(1...4)
      let height = (random.uniform(0.4, 0.88) - level) / Double(count)
      for _ in 0..<count {
        let at = draft.end * random.uniform(0.05, 0.9)
        draft.add { $0 >= at ? height : 0 }
      }
      return draft
    },
    Kind("users join") { random in
      var draft = Draft(&random, seconds: anyLength(&random))
      let level = random.uniform(0.05, 0.25)
      draft.warmUp(&random, to: level)
      let most = random.integer(5...20)
      let each = (random.uniform(0.4, 0.85) - level) / Double(most)
      var moments = (1..<most).map { _ in draft.end * random.unit() }.sorted()
      moments.insert(0, at: 0)
      let settling = random.logUniform(1, 120)
      draft.users = draft.times.map { time in moments.count { $0 <= time } }
      for moment in moments {
        let cost = each * random.uniform(0.6, 1.2)
        draft.add { $0 < moment ? 0 : cost * (1 - exp(-($0 - moment) / settling)) }
      }
      return draft
    },
    Kind("program restarts") { random in
      var draft = Draft(&random, seconds: anyLength(&random))
      let level = random.uniform(0.2, 0.85)
      let constant = random.logUniform(20, max(30, draft.end / 40))
      draft.add { level * (1 - 0.9 * exp(-$0 / constant)) }
      for moment in (0..<random.integer(1...5)).map({ _ in draft.end * random.uniform(0.05, 0.95) }).sorted()
      {
        draft.restart(at: moment, to: level * random.uniform(0.93, 1.03), warmUp: constant)
      }
      return draft
    },
    Kind("moves to swap") { random in
      var draft = Draft(&random, seconds: anyLength(&random))
      draft.warmUp(&random, to: random.uniform(0.3, 0.85))
      let (from, constant) = (draft.end * random.uniform(0.05, 0.6), draft.end / random.uniform(3, 20))
      let part = random.uniform(0.1, 0.7)
      for index in draft.times.indices where draft.times[index] > from {
        draft.swap[index] = draft.held[index] * part * (1 - exp(-(draft.times[index] - from) / constant))
      }
      return draft
    },
  ]
}
