internal import Time

/// Makes one history out of the samples: it leaves misread samples out, starts again when the program was restarted,
/// and subtracts what new users brought.
struct MemoryIntake: Sendable {
  /// Unreclaimable memory, less what new users brought.
  private(set) var floors = MemoryFloors()
  private(set) var latest = LatestSamples()
  /// When the history begins.
  private(set) var origin = LoopTime.zero
  /// Time of the last accepted sample, in seconds since `origin`.
  private(set) var now: Float = 0
  private(set) var lastHeld: Float = 0
  private(set) var firstHeld: Float = 0
  /// Gain of the last sample over the one before.
  private(set) var lastStep: Float = 0
  /// Seconds between recent samples.
  private(set) var spacing: Float = 0
  /// Mean difference of neighbouring samples; large differences, such as a collector's, count little.
  private(set) var roughness: Float = 0
  /// Mean squares of the gains and of the losses from sample to sample, over about the last thousand samples.
  private var gains: Float = 0
  private var losses: Float = 0
  /// Memory that new users brought, as far as it is known.
  private(set) var broughtByUsers: Float = 0
  /// When the number of users last rose above its highest value in this history.
  private(set) var lastJoin: Float?
  /// When the program began to swap, and how much was in swap and in memory then.
  private(set) var swapping: (since: Float, swap: Float, anon: Float)?
  private(set) var lastSwap: Float = 0
  /// Memory of the kernel that is charged to the pod: neither unreclaimable by the program nor page cache; smoothed.
  private(set) var kernelMemory: Float = 0
  /// How often memory fell to the program's starting level, and the highest level before those falls.
  private(set) var beginnings = 0
  private(set) var highestBefore: Float = 0

  /// The limit, or a stand-in for it.
  private let scale: Float
  private var lastAt: LoopTime?
  private var doubtful: MemorySample?
  private var usersHigh = 0
  private var join: (until: Float, held: Float, before: Float, allowance: Float)?

  /// For how many seconds a gain may be due to new users, who sign in and load their data.
  private static let joinSeconds: Float = 900
  /// A gain above this share of the limit counts, whoever brought it: the limit is met all the same.
  private static let usersBringUpTo: Float = 0.8

  init(scale: Float) { self.scale = scale }

  /// Takes a sample. Returns false when it is ignored, or doubtful until the next one confirms it.
  mutating func take(_ sample: MemorySample) -> Bool {
    guard let lastAt else {
      guard sample.held > 0 else { return false }
      begin(with: sample)
      return true
    }
    // No program uses zero bytes: the counter was read while it was reset.
    guard sample.at > lastAt, sample.held > 0 else { return false }
    let held = Float(sample.held)
    if let earlier = doubtful {
      doubtful = nil
      if isOutOfLine(held) && (held < lastHeld) == (Float(earlier.held) < lastHeld) {
        // The second sample confirms the first.
        if earlier.at > lastAt { accept(earlier) }
      }
    } else if isOutOfLine(held) {
      doubtful = sample
      return false
    }
    accept(sample)
    return true
  }

  /// A fall to less than half, or a sudden leap, can be one misread sample.
  private func isOutOfLine(_ held: Float) -> Bool {
    if held < lastHeld / 2 { return lastHeld > 0.02 * scale }
    return held - lastHeld > max(0.15 * scale, 4 * roughness)
  }

  private mutating func begin(with sample: MemorySample) {
    floors.removeAll()
    origin = sample.at
    lastAt = sample.at
    now = 0
    firstHeld = Float(sample.held)
    lastHeld = firstHeld
    lastStep = 0
    spacing = 0
    roughness = 0
    gains = 0
    losses = 0
    broughtByUsers = 0
    lastJoin = nil
    join = nil
    swapping = nil
    usersHigh = sample.activeUsers
    floors.append(at: 0, lastHeld)
    latest = LatestSamples()
    latest.append(at: 0, lastHeld)
  }

  private mutating func accept(_ sample: MemorySample) {
    let held = Float(sample.held)
    if held < min(lastHeld / 2, lastHeld - 0.1 * scale), held <= max(0.1 * scale, 1.25 * firstHeld) {
      beginnings += 1
      for stretch in floors.stretches { highestBefore = max(highestBefore, stretch.high + broughtByUsers) }
      return begin(with: sample)
    }
    let seconds = Float((sample.at - (lastAt ?? sample.at)).count) / 1e6
    now = Float((sample.at - origin).count) / 1e6
    lastAt = sample.at
    spacing = spacing == 0 ? seconds : spacing + (min(seconds, 4 * spacing) - spacing) / 8
    lastStep = held - lastHeld
    let difference = lastStep.magnitude
    roughness = roughness == 0 ? difference : roughness + (min(difference, 3 * roughness) - roughness) / 16
    gains += ((lastStep > 0 ? lastStep * lastStep : 0) - gains) / 1024
    losses += ((lastStep < 0 ? lastStep * lastStep : 0) - losses) / 1024
    noteUsers(sample.activeUsers, held)
    noteSwap(sample)
    let rest = Float(sample.current - min(sample.anon &+ sample.file, sample.current))
    kernelMemory += (rest - kernelMemory) / 8
    lastHeld = held
    floors.append(at: now, held - broughtByUsers)
    latest.append(at: now, held)
  }

  /// For a quarter of an hour after new users came, gains count as theirs, up to one and a half times the share of the
  /// users who were there before.
  private mutating func noteUsers(_ users: Int, _ held: Float) {
    if users > usersHigh {
      let share =
        usersHigh > 0 ? 1.5 * (Float(users) - Float(usersHigh)) / Float(usersHigh) * lastHeld : scale
      let running = join ?? (until: 0, held: lastHeld, before: broughtByUsers, allowance: 0)
      // The time must reach the next sample, however late that comes.
      let until = now + max(Self.joinSeconds, 1.5 * spacing)
      join = (until, running.held, running.before, running.allowance + share)
      usersHigh = users
      lastJoin = now
    }
    guard let join else { return }
    let most = min(held, Self.usersBringUpTo * scale) - join.held
    broughtByUsers = join.before + min(max(most, 0), join.allowance)
    if now >= join.until { self.join = nil }
  }

  private mutating func noteSwap(_ sample: MemorySample) {
    lastSwap = Float(sample.swap)
    if lastSwap < 0.01 * scale {
      swapping = nil
    } else if swapping == nil {
      swapping = (now, lastSwap, Float(sample.anon))
    }
  }

  /// The samples' clock at `seconds` of the history.
  func clock(_ seconds: Float) -> LoopTime { origin + Microseconds(seconds: Double(seconds)) }

  /// Whether a garbage collector is at work: it frees at once what was gained in small steps, while noise gains and
  /// loses alike.
  var hasTeeth: Bool { losses >= 3 * gains && losses > 0 }

  /// Standard deviation of a sample about its mean, estimated from neighbours.
  ///
  /// - Parameter slope: The trend in bytes per second, which is not noise and is subtracted.
  func noise(without slope: Float) -> Float {
    max(roughness - slope.magnitude * spacing, 0) * 0.886
  }

  /// Mean unreclaimable memory of at most `samples` recent samples, and how many they were.
  func recent(_ samples: Float) -> (mean: Float, count: Float) {
    var sum: Float = 0
    var count: Float = 0
    for stretch in floors.stretches.reversed() {
      guard count == 0 || count + Float(stretch.count) <= samples else { break }
      sum += stretch.mean * Float(stretch.count)
      count += Float(stretch.count)
    }
    return (count > 0 ? sum / count + broughtByUsers : lastHeld, max(count, 1))
  }
}
