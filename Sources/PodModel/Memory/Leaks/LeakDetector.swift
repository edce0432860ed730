internal import Time

/// Distinguishes a leak from growth that ends by itself, sample by sample and in bounded memory. docs/leaks.md states
/// the rule in words, with the reasons for its figures; ``LeakJudgement`` holds the tests.
public struct LeakDetector: Sendable {
  public private(set) var finding = Finding()

  private let whole: Float?
  private var intake: MemoryIntake
  private var conviction: Conviction?
  /// When a test was passed for the first time, and when for the last time.
  private var suspicion: (first: Float, last: Float)?
  private var samples = 0
  private var samplesSinceFullLook = 0

  /// - Parameters:
  ///   - memoryMax: The pod's MemoryMax= in bytes; nil for none.
  ///   - memoryHigh: The pod's MemoryHigh=, at which it begins to stall (facts 21); nil for none. The lower of the two
  ///     is the limit; without a limit nothing is ever called a leak.
  public init(memoryMax: UInt64?, memoryHigh: UInt64?) {
    let bytes = [memoryMax, memoryHigh].compactMap(\.self).min()
    finding.limit = bytes
    whole = bytes.map { Float(max($0, 1)) }
    intake = MemoryIntake(scale: whole ?? 1e9)
  }

  /// The limit less the kernel's own memory, because the kernel compares the limit with memory.current (facts 18),
  /// which includes that memory. At most a tenth of the limit is subtracted.
  private var limit: Float? {
    whole.map { $0 - min(intake.kernelMemory, 0.1 * $0) }
  }

  /// Takes the next sample of the same generation; a new generation gets a new detector. A sample that is not later
  /// than the previous one is ignored.
  @discardableResult
  public mutating func add(_ sample: MemorySample) -> Finding {
    guard intake.take(sample) else { return finding }
    let limit = limit
    finding.held = sample.held
    finding.at = sample.at
    samples += 1
    samplesSinceFullLook += 1
    // Long spans change little from sample to sample: a full judgement waits until a 64th of the history is new.
    let isFull = samplesSinceFullLook >= max(8, samples / 64) || conviction == nil && samples < 64
    guard isFull || isUrgent(sample) else { return finding }
    if isFull { samplesSinceFullLook = 0 }
    let judgement = LeakJudgement(intake, limit: limit, turn: isFull ? nil : samples)
    if isFull || judgement.isLeak { note(judgement) }
    if conviction == nil, isConfirmed(judgement) {
      // What is reported is the longest span that shows the leak, whether it was its turn or not.
      if !isFull { note(LeakJudgement(intake, limit: limit)) }
      conviction = Conviction(at: sample.at, level: Float(sample.held), judgement)
      finding.detectedAt = finding.detectedAt ?? sample.at
    } else if conviction?.isDisproved(by: Float(sample.held), at: sample.at, limit: limit ?? 1e9) == true {
      conviction = nil
      finding.basis = .disproved
    }
    finding.isLeak = conviction != nil
    if let conviction { finding.basis = conviction.basis }
    return finding
  }

  /// A test can pass by chance, but hardly twice: it must pass again when a 32nd of the span has gone by, unless the
  /// growth meanwhile would take a hundredth of the limit.
  private mutating func isConfirmed(_ judgement: LeakJudgement) -> Bool {
    guard judgement.isLeak, let trend = judgement.trend, let limit else { return false }
    let seconds = trend.end - trend.start
    if let earlier = suspicion, earlier.first <= intake.now, intake.now - earlier.last <= seconds / 8 {
      suspicion = (earlier.first, intake.now)
    } else {
      suspicion = (intake.now, intake.now)
    }
    let first = suspicion?.first ?? intake.now
    return intake.now - first >= seconds / 32
      || trend.slope * max(seconds / 32, intake.spacing) >= 0.01 * limit
      || intake.lastHeld >= 0.955 * limit
  }

  /// Whether the sample must be judged at once: not while half of the limit is free.
  private func isUrgent(_ sample: MemorySample) -> Bool {
    guard let limit, conviction == nil else { return conviction != nil }
    let next = Float(sample.held) + 2 * max(intake.lastStep, 0)
    return next >= 0.5 * limit
  }

  private mutating func note(_ judgement: LeakJudgement) {
    finding.basis = judgement.basis
    finding.isGrowing = judgement.isGrowing
    guard let trend = judgement.trend else {
      finding.since = nil
      (finding.slope, finding.slopeLow, finding.slopeHigh) = (0, 0, 0)
      finding.timeToLimit = nil
      return
    }
    finding.since = judgement.isGrowing ? intake.clock(trend.start) : nil
    finding.slope = Double(trend.slope)
    finding.slopeLow = Double(trend.slope - trend.halfInterval)
    finding.slopeHigh = Double(trend.slope + trend.halfInterval)
    finding.timeToLimit = nil
    if let limit, judgement.isGrowing, trend.slope > 0 {
      let left = Microseconds(seconds: Double(max(limit - intake.lastHeld, 0) / trend.slope))
      finding.timeToLimit = left == .infinity ? nil : left
    }
  }
}

extension LeakDetector {
  /// A leak that was found, and the observations that would disprove it.
  struct Conviction: Sendable {
    let basis: Basis
    /// How many bytes the pod had gained when the leak was found, and in how much time.
    private let gain: Float
    private let span: Microseconds
    private let level: Float
    private var highest: Float
    private var highestAt: LoopTime
    private var belowSince: LoopTime?

    init(at: LoopTime, level: Float, _ judgement: LeakJudgement) {
      basis = judgement.basis
      gain = judgement.trend?.rise ?? 0
      span = Microseconds(seconds: Double((judgement.trend?.end ?? 0) - (judgement.trend?.start ?? 0)))
      self.level = level
      highest = level
      highestAt = at
    }

    /// A leak is disproved when the program gave back half of its gain for half an hour, or when it gained nothing more
    /// for as long as the growth had lasted, at least six hours: a leak may rest for a night.
    mutating func isDisproved(by held: Float, at: LoopTime, limit: Float) -> Bool {
      if held > highest + 0.01 * limit {
        highest = held
        highestAt = at
      }
      if held > level - gain / 2 {
        belowSince = nil
      } else if belowSince == nil {
        belowSince = at
      }
      if let belowSince, at - belowSince >= .minutes(30) { return true }
      return at - highestAt >= max(span, .hours(6))
    }
  }
}
