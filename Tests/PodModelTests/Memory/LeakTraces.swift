import PodModel
import Time

/// SplitMix64: the same seed, the same noise.
struct Noise {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  private mutating func unit() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Double((z ^ (z >> 31)) >> 11) / Double(1 << 53)
  }

  /// Nearly normal, with a standard deviation of one: the sum of twelve.
  mutating func next() -> Double {
    var sum = -6.0
    for _ in 0..<12 { sum += unit() }
    return sum
  }
}

/// A pod of 96 MB whose memory follows a curve; all amounts in hundredths of the limit, times in hours.
struct Course {
  static let limit = 96.0 * 1_048_576
  var hours = 12.0
  /// Seconds from sample to sample.
  var spacing = 10.0
  var noise = 0.4
  var users: (Double) -> Int = { _ in 10 }
  var swap: (Double) -> Double = { _ in 0 }
  var file: (Double) -> Double = { _ in 3 }
  /// What the kernel itself uses for the pod.
  var kernel = 0.0
  let held: (Double) -> Double

  init(
    hours: Double = 12, noise: Double = 0.4, spacing: Double = 10, kernel: Double = 0,
    _ held: @escaping (Double) -> Double
  ) {
    self.kernel = kernel
    self.hours = hours
    self.noise = noise
    self.spacing = spacing
    self.held = held
  }

  struct Outcome {
    var finding = LeakDetector.Finding()
    /// Hundredths of the limit that were free when the leak was found.
    var free: Double?
    var foundAtHour: Double?
    var met = false
  }

  /// Runs a detector to the end, to the first finding of a leak, or to the limit.
  func run(seed: UInt64 = 1, memoryHigh: UInt64? = nil) -> Outcome {
    var detector = LeakDetector(memoryMax: UInt64(Self.limit), memoryHigh: memoryHigh)
    var noise = Noise(seed: seed)
    var outcome = Outcome()
    var second = 0.0
    while second <= hours * 3600 {
      let hour = second / 3600
      let exact = held(hour)
      // Below nothing is a sample that was misread.
      let percent = exact < 0 ? 0 : max(exact + self.noise * noise.next(), 0.5)
      let swapped = min(swap(hour), percent)
      let bytes = { (share: Double) in UInt64(share / 100 * Self.limit) }
      outcome.finding = detector.add(
        MemorySample(
          at: .zero + Microseconds(seconds: second), anon: bytes(percent - swapped), swap: bytes(swapped),
          file: bytes(file(hour)),
          current: bytes(percent - swapped + file(hour) + kernel), activeUsers: users(hour)))
      if outcome.finding.isLeak {
        outcome.free = 100 - percent
        outcome.foundAtHour = hour
        return outcome
      }
      if percent >= 100 {
        outcome.met = true
        return outcome
      }
      second += spacing
    }
    return outcome
  }
}

/// What rises steeply at first and settles: a program that warms up to `top`.
func settling(_ hour: Double, to top: Double, in hours: Double) -> Double {
  var gap = 1.0
  // exp() without a library: (1 - x/n)^n.
  let step = 1 - hour / hours / 1024
  if step > 0 {
    gap = step
    for _ in 0..<10 { gap *= gap }
  } else {
    gap = 0
  }
  return top * (1 - gap)
}

/// A day of 24 hours with its low at midnight and its high at noon, from 0 to 1; a parabola for each half.
func daylight(_ hour: Double) -> Double {
  let phase = (hour / 24 - (hour / 24).rounded(.down)) * 4 - 2
  let distance = phase.magnitude
  return distance < 1 ? 1 - distance * distance / 2 : (2 - distance) * (2 - distance) / 2
}
