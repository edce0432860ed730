/// Judges a history: the tests of docs/leaks.md, in their order, over spans of time from the whole history down to the
/// last 75 seconds.
struct LeakJudgement {
  private(set) var basis = LeakDetector.Basis.tooFewSamples
  private(set) var isLeak = false
  private(set) var isGrowing = false
  /// The span that the judgement rests on: the longest one of steady growth, else the whole history.
  private(set) var trend: MemoryTrend?

  private typealias Limits = LeakThresholds

  let intake: MemoryIntake
  let limit: Float

  /// A shorter span proves nothing.
  static let shortestSeconds: Float = 75
  /// Each span is this share of the one before.
  private static let shrink: Float = 0.75

  /// - Parameter turn: A running number. With it only the spans whose turn it is are judged: each when a 64th of it is
  ///   new, so a long span rarely. Nil judges all spans.
  init(_ intake: MemoryIntake, limit: Float?, turn: Int? = nil) {
    self.intake = intake
    self.limit = limit ?? .infinity
    guard intake.now >= Self.shortestSeconds else { return }
    basis = limit == nil ? .noLimit : .steady
    if let last = lastChance() {
      (basis, isLeak, isGrowing, trend) = (.aboutToMeet, true, true, last)
      return
    }
    let longest = turn.map { Float(64 << min($0.trailingZeroBitCount, 40)) * intake.spacing } ?? .infinity
    var span = intake.now
    while span >= max(Self.shortestSeconds, 4 * intake.spacing) {
      if span <= longest, let candidate = MemoryTrend(intake.floors, from: intake.now - span, to: intake.now)
      {
        if trend == nil { trend = candidate }
        // No shorter span has a larger range.
        guard limit != nil, candidate.range >= Limits.leastRise * self.limit else { return }
        weigh(candidate)
        if isLeak { return }
      }
      span *= Self.shrink
    }
  }

  private mutating func weigh(_ span: MemoryTrend) {
    guard isSteady(span) else {
      let isCertain = span.certainty >= Limits.certainty && span.rise >= Limits.leastRise * limit
      if basis == .steady, isCertain { basis = .settling }
      return
    }
    if !isGrowing {
      isGrowing = true
      trend = span
      basis = .room
    }
    // A program that starts loads what it needs, and that may end anywhere.
    guard !isStart, isNew(span), isNoWave(span), !isSlowing(span), let found = test(span) else { return }
    basis = found
    isLeak = true
    // Report the figures of the span that decided.
    trend = span
  }

  /// Whether growth is certain, continues, is not a single leap, and would not settle below the limit.
  private func isSteady(_ span: MemoryTrend) -> Bool {
    span.certainty >= Limits.certainty
      && span.rise >= max(Limits.leastRise * limit, Limits.riseToScatter * span.scatter)
      && span.lastGain >= Limits.lastGain && span.largestGain <= Limits.largestGain
      && intake.lastHeld + span.ahead >= Limits.settlesBelow * limit
  }

  /// Whether the span ends above everything before it. Memory that returns to an earlier height is a collector's tooth
  /// or a daily rhythm.
  private func isNew(_ span: MemoryTrend) -> Bool {
    let block = (span.end - span.start) / Float(MemoryTrend.blocks)
    var highest: Float = intake.beginnings >= 2 ? intake.highestBefore - intake.broughtByUsers : 0
    var second = highest
    var floor: Float = 0
    for stretch in intake.floors.stretches {
      guard stretch.start < span.start else { break }
      // One burst is ignored: the second-highest stretch counts, not the highest.
      if stretch.high > highest {
        second = highest
        highest = stretch.high
      } else {
        second = max(second, stretch.high)
      }
      if stretch.end - stretch.start >= block / 2 { floor = max(floor, stretch.low) }
    }
    return span.top >= second + Limits.riseAboveBefore * span.rise && span.floor > floor
  }

  /// Whether the rise is far larger than the scatter of memory in an equally long span before it.
  private func isNoWave(_ span: MemoryTrend) -> Bool {
    let before = MemoryTrend(
      intake.floors, from: span.start - (span.end - span.start), to: span.start)
    return before.map { span.rise >= Limits.riseToEarlierScatter * $0.scatter } ?? true
  }

  /// Whether memory grew faster before the span, and would settle below the limit if its pace went on falling like this:
  /// a short piece of a curve looks straight.
  private func isSlowing(_ span: MemoryTrend) -> Bool {
    let seconds = span.end - span.start
    let from = max(span.start - Limits.slowing * seconds, 0)
    guard span.start - from >= seconds, let before = MemoryTrend(intake.floors, from: from, to: span.start),
      before.certainty >= Limits.certainty, before.slope > span.slope
    else { return false }
    // The pace falls exponentially; the two slopes are those of the middles of the spans.
    let between = (span.end - from) / 2
    let ahead = span.slope * between / (before.slope / span.slope).logarithm
    return intake.lastHeld + ahead < Limits.settlesBelow * limit
  }

  /// Whether the program is so young that growth may be its start.
  var isStart: Bool { intake.now < Limits.startSeconds }

  private func test(_ span: MemoryTrend) -> LeakDetector.Basis? {
    let noise = intake.noise(without: span.slope)
    let step = max(span.slope * intake.spacing, 1)
    let (mean, count) = intake.recent(min(max(Limits.meanGain * limit / step, 1), 16))
    let error = max(noise / count.squareRoot(), span.scatter / 2)
    let surely = mean - min(Limits.meanErrors * error, Limits.meanErrorsMost * limit)
    let held = intake.lastHeld
    let tips = span.top + intake.broughtByUsers
    let seconds = span.end - span.start

    let allowance = min(Limits.nearTheLimitNoise * noise, Limits.nearTheLimitNoiseMost * limit)
    if surely >= Limits.nearTheLimit * limit + allowance { return .nearTheLimit }
    if isTooLateNextTime(span, held, step) { return .fasterThanSamples }
    if intake.hasTeeth, span.band >= Limits.teeth.band * limit, tips >= Limits.teeth.top * limit {
      return .underTeeth
    }
    // The peaks of noise, or of a recurring job, meet the limit before the mean does.
    let noisePeak = mean + Limits.noisePeaks.deviations * noise
    if mean >= Limits.noisePeaks.mean * limit, noisePeak >= Limits.noisePeaks.reaches * limit {
      return .peaksMeetLimit
    }
    let jobBand = max(Limits.jobPeaks.band * limit, Limits.jobPeaks.noises * noise)
    if span.band >= jobBand, tips >= Limits.jobPeaks.top * limit { return .peaksMeetLimit }
    let halfDay = Limits.halfDay
    if surely >= halfDay.level * limit + allowance, seconds >= halfDay.seconds, span.pace >= halfDay.pace {
      return .forHalfADay
    }
    let week = Limits.week
    if surely >= week.level * limit, seconds >= week.seconds, span.pace >= week.pace { return .forAWeek }
    guard surely >= Limits.afterRest * limit else { return nil }
    if growsIntoSwap(span) { return .intoSwap }
    guard seconds >= Limits.afterRestSeconds, let before = quietBefore(span) else { return nil }
    if before.slope.magnitude <= Limits.restSlope * span.slope { return .afterRest }
    let isFaster = before.slope >= 0 && before.slope <= Limits.faster.slopeBefore * span.slope
    return surely >= Limits.faster.level * limit && isFaster ? .faster : nil
  }

  /// Whether the next sample would come too late to recycle the pod before its limit.
  private func isTooLateNextTime(_ span: MemoryTrend, _ held: Float, _ step: Float) -> Bool {
    let (level, steps, reaches) = Limits.nextSample
    if held >= level * limit, held + steps * step >= reaches * limit { return true }
    let steep = Limits.nextSampleSteep
    return held >= steep.level * limit && held + step >= steep.reaches * limit && span.pace >= steep.pace
  }

  /// Whether the gain goes to swap, and is not just memory that was idle before.
  private func growsIntoSwap(_ span: MemoryTrend) -> Bool {
    guard let swapping = intake.swapping else { return false }
    let gained = intake.lastSwap - swapping.swap
    let lost = swapping.anon - (intake.lastHeld - intake.lastSwap)
    return gained >= Limits.swap.gained * limit && lost <= Limits.swap.lost * gained
  }

  /// The trend of an equally long span before this one, or of at least half its length; nil when users came meanwhile.
  private func quietBefore(_ span: MemoryTrend) -> MemoryTrend? {
    let seconds = span.end - span.start
    guard span.start >= max(seconds / 2, Limits.before.seconds), span.rise >= Limits.before.rise * limit
    else { return nil }
    if let join = intake.lastJoin, join >= span.start - Limits.before.sinceUsers { return nil }
    return MemoryTrend(intake.floors, from: max(span.start - seconds, 0), to: span.start)
  }
}

extension Float {
  /// The natural logarithm of a number from 1 on, within 1 %: PodModel links no mathematics.
  fileprivate var logarithm: Float {
    let part = significand - 1
    return Float(exponent) * 0.693_147 + part * (1 - part * (0.493 - part * (0.28 - part * 0.094)))
  }
}
