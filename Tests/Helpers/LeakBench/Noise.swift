import Glibc
import PodModel
internal import Time

/// How the noise of one sample depends on chance and on the sample before.
enum NoiseKind {
  /// In half of the traces neighbouring samples are alike.
  case usual
  /// Independent and normal, heavy-tailed, or equally likely within bounds; or normal with loud and quiet times.
  case white, heavy, even, changing

  static func any(_ random: inout Random) -> NoiseKind {
    random.pick([.usual, .white, .heavy, .even, .changing])
  }

  /// The next value, with a standard deviation of about one; `before` is the last one.
  func next(_ random: inout Random, before: Double, drift: Double, loud: inout Double) -> Double {
    switch self {
    case .usual: return drift * before + sqrt(1 - drift * drift) * random.gaussian()
    case .white: return random.gaussian()
    case .heavy: return random.exponential() * (random.chance(0.5) ? 1 : -1) / 2.0.squareRoot()
    case .even: return random.uniform(-1, 1) * 3.0.squareRoot()
    case .changing:
      if random.chance(0.01) { loud = random.pick([0.3, 0.6, 1, 1.8]) }
      return loud * random.gaussian() * 0.9
    }
  }
}

extension Draft {
  /// The samples of this draft on a real host: with noise, whole pages, late samples, gaps, and a counter that is 0
  /// once. The trace of a leak ends with the sample in which unreclaimable memory meets the limit; that of a healthy
  /// pod ends with the draft. Nil if a leak's samples never meet the limit before the draft ends.
  func trace(name: String, kind: String, random: inout Random) -> Trace? {
    let limit = (random.logUniform(64, 3072) * 256).rounded() * 4096
    // Huge pages come and go in steps of 2 MiB, which would hide everything else in a small pod.
    let page = limit > 1e9 && random.chance(0.25) ? 2_097_152.0 : 4096
    let kernel = random.uniform(0.002, 0.012)
    // A pod of the wider kinds may stand at 97 % with noise.
    let most = noiseKind == .usual ? 0.97 : 0.985
    let origin = LoopTime(sinceBoot: Microseconds(UInt64(random.uniform(1e6, 1e12))))
    let late = random.chance(0.7) ? random.uniform(0, 0.1) : 0
    let spikes = random.chance(0.3) ? random.logUniform(0.0005, 0.01) : 0
    let drift = random.chance(0.5) ? random.uniform(0.3, 0.95) : 0
    var (correlated, loud) = (0.0, 1.0)
    var samples: [MemorySample] = []
    samples.reserveCapacity(times.count)
    var met: LoopTime?
    for index in times.indices {
      correlated = noiseKind.next(&random, before: correlated, drift: drift, loud: &loud)
      var share = max(held[index] + noise * correlated, 0.004)
      if random.chance(spikes) { share += random.uniform(0.01, 0.05) }
      // A healthy pod does not meet its limit.
      if leaks.isEmpty { share = min(share, most) }
      let swapped = min(share, max(0, swap[index]))
      let anon = ((share - swapped) * limit / page).rounded() * page
      let inSwap = (swapped * limit / 4096).rounded() * 4096
      let room = max(0, 1 - kernel - (share - swapped))
      let cache = (min(max(0, file[index] + noise * random.gaussian()), room) * limit / 4096).rounded() * 4096
      let current = min(limit, anon + cache + (kernel * limit / 4096).rounded() * 4096)
      let at = origin + Microseconds(seconds: times[index] + late * spacing * random.unit())
      samples.append(
        MemorySample(
          at: at, anon: UInt64(anon), swap: UInt64(inSwap), file: UInt64(cache), current: UInt64(current),
          activeUsers: users[index]))
      if !leaks.isEmpty, anon + inSwap >= limit, !isBeforeRestart(times[index]) {
        met = at
        break
      }
    }
    let labels = leaks.map { leak in
      let starts = origin + Microseconds(seconds: leak.starts)
      let ends = leak.ends.map { origin + Microseconds(seconds: $0) } ?? met ?? .never
      return Trace.Leak(
        starts: starts, ends: ends,
        meetsLimit: leak.meetsLimit.map { origin + Microseconds(seconds: $0) } ?? met ?? .never)
    }
    guard leaks.isEmpty || met != nil else { return nil }
    dropSome(of: &samples, &random)
    return Trace(name: name, kind: kind, memoryMax: UInt64(limit), samples: samples, leaks: labels)
  }

  /// The peak of an earlier leak may touch the limit; only the last leak ends the trace.
  private func isBeforeRestart(_ time: Double) -> Bool {
    leaks.contains { $0.ends.map { time < $0 } ?? false }
  }

  private func dropSome(of samples: inout [MemorySample], _ random: inout Random) {
    if random.chance(0.15), samples.count > 20 {
      let index = random.integer(5...(samples.count - 6))
      samples[index].anon = 0
      if random.chance(0.5) { samples[index].current = 0 }
      if random.chance(0.5) { samples[index].swap = 0 }
    }
    // No gaps in the last part of a leak: no rule can find it without samples.
    let last = leaks.isEmpty ? samples.count : samples.count * 85 / 100
    guard random.chance(0.2), last > 40 else { return }
    for _ in 0..<random.integer(1...3) {
      let length = random.integer(3...max(4, samples.count / 30))
      let from = random.integer(1...max(2, last - length))
      let to = min(from + length, samples.count - 2)
      if from < to { samples.removeSubrange(from..<to) }
    }
  }
}
