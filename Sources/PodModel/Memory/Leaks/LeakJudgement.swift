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
    guard !isStart(span), isNew(span), isNoWave(span), !isSlowing(span),
      !mayBeGivenBack(span.top, since: span.start), let found = test(span)
    else { return }
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

  /// Whether the rise since `since` to `height` may be one more of those that were given back before: a job, a tooth, a
  /// queue, whose sizes differ. It is none when the pod has not been down there for long.
  func mayBeGivenBack(_ height: Float, since: Float) -> Bool {
    guard let fall = intake.floors.largestFall(until: since) else { return false }
    let size = fall.high - fall.low
    guard height - fall.low <= Limits.givenBack.height * size else { return false }
    let down = intake.floors.lastTime(below: fall.low + Limits.givenBack.down * size)
    return intake.now - down <= Limits.givenBack.age * down
  }

  /// Whether memory grew faster before the span, and would settle below the limit if its pace went on falling like this:
  /// a short piece of a curve looks straight.
  private func isSlowing(_ span: MemoryTrend) -> Bool {
    let seconds = span.end - span.start
    for times in Limits.slowing where span.start >= times * seconds {
      guard
        let before = MemoryTrend(intake.floors, from: span.start - times * seconds, to: span.start),
        before.certainty >= Limits.slowingCertainty, before.slope > span.slope
      else { continue }
      // The pace falls exponentially; the two slopes are those of the middles of the spans.
      let between = (times + 1) / 2 * seconds
      let halving = (before.slope / span.slope).logarithm / between
      // From the middle of the span to its end the pace fell further.
      let ahead = span.slope / halving / (halving * seconds / 2).exponential
      if intake.lastHeld + ahead < Limits.settlesBelow * limit { return true }
    }
    return false
  }

  /// Whether the growth may be a program's start: it loads what it needs, and that may end anywhere. What grows after a
  /// calm is no start; and what began as one must go on after it.
  private func isStart(_ span: MemoryTrend) -> Bool {
    if isYoung { return !isAfterCalm(span) }
    let start = Limits.startSeconds
    guard span.start < start, intake.now < 2 * start, let line = intake.latest.line else { return false }
    return line.slope + 2 * line.error < Limits.startGoesOn * span.slope
  }

  /// Whether the program has just begun: one that held more than a little at the first sample ran before.
  var isYoung: Bool {
    intake.now < Limits.startSeconds && intake.firstHeld < Limits.startsBelow * limit
  }

  /// Whether memory stood still before the span, for at least half of its length and a minute.
  private func isAfterCalm(_ span: MemoryTrend) -> Bool {
    let calm = max((span.end - span.start) / 2, Limits.calmSeconds)
    guard span.start >= calm,
      let before = MemoryTrend(intake.floors, from: span.start - calm, to: span.start)
    else { return false }
    return before.slope.magnitude <= Limits.restSlope * span.slope
  }

  private func test(_ span: MemoryTrend) -> LeakDetector.Basis? {
    let noise = intake.noise(without: span.slope)
    let step = max(span.slope * intake.spacing, 1)
    let (mean, count) = intake.recent(min(max(Limits.meanGain * limit / step, 1), 16))
    let error = max(noise / count.squareRoot(), span.scatter / 2)
    // The mean is that of the middle of its samples; the growth since then counts as far as the latest ones show it.
    let pace = count <= 4 ? 0 : intake.latest.line.map { min(span.slope, $0.slope - 2 * $0.error) } ?? 0
    let certain = mean + max(pace, 0) * intake.spacing * (count - 1) / 2
    let surely = certain - min(Limits.meanErrors * error, Limits.meanErrorsMost * limit)
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

  /// e to the power of a number from 0 on, within 2 % up to 2 and too small above.
  fileprivate var exponential: Float { 1 + self * (1 + self / 2 * (1 + self / 3 * (1 + self / 4))) }
}
