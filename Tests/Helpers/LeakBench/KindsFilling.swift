import Glibc

extension Kind {
  /// Healthy growth that ends by itself, in some kinds just below the limit.
  static let filling = [
    Kind("cache fills ever slower") { random in
      var draft = Draft(&random, seconds: anyLength(&random))
      let base = random.uniform(0.05, 0.2)
      let cap = random.uniform(0.3, 0.9)
      draft.warmUp(&random, to: base)
      let constant = draft.end / random.uniform(3, 12)
      if random.chance(0.5) {
        draft.add { (cap - base) * (1 - exp(-$0 / constant)) }
      } else {
        draft.add { (cap - base) * $0 / ($0 + constant / 2) }
      }
      return draft
    },
    // Redis with maxmemory: the growth does not slow down before it stops.
    Kind("cache fills to its cap") { random in
      var draft = Draft(&random, seconds: anyLength(&random))
      let base = random.uniform(0.03, 0.2)
      let cap = random.uniform(0.4, 0.9)
      draft.warmUp(&random, to: base)
      draft.noise = min(draft.noise, 0.008)
      let full = draft.end * random.uniform(0.1, 0.75)
      draft.add { (cap - base) * min(1, $0 / full) }
      return draft
    },
    Kind("cache fills late") { random in
      var draft = Draft(&random, seconds: anyLength(&random))
      let base = random.uniform(0.1, 0.4)
      let cap = random.uniform(0.5, 0.88)
      draft.warmUp(&random, to: base)
      let from = draft.end * random.uniform(0.2, 0.6)
      let length = draft.end * random.uniform(0.03, 0.25)
      let slows = random.chance(0.6)
      draft.add { time in
        let part = max(0, time - from) / length
        return (cap - base) * (slows ? 1 - exp(-3 * part) : min(1, part))
      }
      return draft
    },
    Kind("fragmentation settles") { random in
      var draft = Draft(&random, seconds: anyLength(&random))
      let base = random.uniform(0.2, 0.5)
      draft.warmUp(&random, to: base)
      let rise = random.uniform(0.1, 0.86 - base)
      let constant = draft.end / random.logUniform(30, 1000)
      let whole = log(1 + draft.end / constant)
      draft.add { rise * log(1 + $0 / constant) / whole }
      return draft
    },
    // Workers share the pages of their parent until they write to them.
    Kind("copies after a fork") { random in
      var draft = Draft(&random, seconds: anyLength(&random))
      let base = random.uniform(0.15, 0.4)
      draft.warmUp(&random, to: base)
      let rise = random.uniform(0.15, 0.85 - base)
      let constant = draft.end / random.uniform(8, 60)
      let every = random.chance(0.5) ? draft.end * random.uniform(0.25, 0.6) : .infinity
      draft.add { time in
        let since = every.isFinite ? time.truncatingRemainder(dividingBy: every) : time
        return rise * (1 - exp(-since / constant))
      }
      return draft
    },
    // An import whose memory is freed at its end.
    Kind("batch is kept until done") { random in
      var draft = Draft(&random, seconds: anyLength(&random))
      let base = random.uniform(0.1, 0.4)
      draft.warmUp(&random, to: base)
      let rise = random.uniform(0.2, 0.85 - base)
      let from = draft.end * random.uniform(0.05, 0.5)
      let length = draft.end * random.uniform(0.05, 0.4)
      draft.add { time in
        let part = (time - from) / length
        return part > 0 && part < 1 ? rise * part : 0
      }
      return draft
    },
  ]
}
