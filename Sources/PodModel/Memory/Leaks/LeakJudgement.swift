/// What a history comes to: the tests of docs/leaks.md, in their order, over spans of time from the whole history down
/// to the last two minutes.
struct LeakJudgement {
  private(set) var basis = LeakDetector.Basis.tooFewSamples
  private(set) var isLeak = false
  private(set) var isGrowing = false
  /// The span that it rests on: of steady growth the longest, else the whole history.
  private(set) var trend: MemoryTrend?

  private let intake: MemoryIntake
  private let limit: Float

  /// No span that is shorter is evidence of anything.
  static let shortestSeconds: Float = 75
  /// Each span is this much of the one before.
  private static let shrink: Float = 0.75

  /// What grew by a smaller share of the limit is not worth a judgement.
  private static let leastRise: Float = 0.04

  /// - Parameter look: A running number; with it only those spans are looked at whose turn it is, the long ones ever
  ///   more seldom: each when a 64th of it is new. Nil: all of them.
  init(_ intake: MemoryIntake, limit: Float?, look: Int? = nil) {
    self.intake = intake
    self.limit = limit ?? .infinity
    guard intake.now >= Self.shortestSeconds else { return }
    basis = limit == nil ? .noLimit : .steady
    let longest = look.map { Float(64 << min($0.trailingZeroBitCount, 40)) * intake.spacing } ?? .infinity
    var span = intake.now
    while span >= max(Self.shortestSeconds, 4 * intake.spacing) {
      if span <= longest, let candidate = MemoryTrend(intake.floors, from: intake.now - span, to: intake.now)
      {
        if trend == nil { trend = candidate }
        // A shorter span has no more.
        guard limit != nil, candidate.range >= Self.leastRise * self.limit else { return }
        weigh(candidate)
        if isLeak { return }
      }
      span *= Self.shrink
    }
  }

  private mutating func weigh(_ span: MemoryTrend) {
    guard isSteady(span) else {
      if basis == .steady, span.certainty >= 6, span.rise >= Self.leastRise * limit { basis = .settling }
      return
    }
    if !isGrowing {
      isGrowing = true
      trend = span
      basis = .room
    }
    guard isNew(span), isNoWave(span), let found = test(span) else { return }
    basis = found
    isLeak = true
    // The figures of the span that decided.
    trend = span
  }

  /// Growth that is certain, goes on, is no single leap, and would not settle below the limit.
  private func isSteady(_ span: MemoryTrend) -> Bool {
    span.certainty >= 6 && span.rise >= max(Self.leastRise * limit, 8 * span.scatter)
      && span.lastGain >= 0.35 && span.largestGain <= 3.6
      && intake.lastHeld + span.ahead >= 0.97 * limit
  }

  /// Above all that was before it: what comes back to a height where it was is a tooth or a day.
  private func isNew(_ span: MemoryTrend) -> Bool {
    let block = (span.end - span.start) / Float(MemoryTrend.blocks)
    var highest: Float = intake.beginnings >= 2 ? intake.highestBefore - intake.broughtByUsers : 0
    var second = highest
    var floor: Float = 0
    for stretch in intake.floors.stretches {
      guard stretch.start < span.start else { break }
      // One burst is not counted: of the two highest stretches that do not touch, the lower one.
      if stretch.high > highest {
        second = highest
        highest = stretch.high
      } else {
        second = max(second, stretch.high)
      }
      if stretch.end - stretch.start >= block / 2 { floor = max(floor, stretch.low) }
    }
    return span.top >= second + 0.4 * span.rise && span.floor > floor
  }

  /// Larger by far than what memory did about its course as long before.
  private func isNoWave(_ span: MemoryTrend) -> Bool {
    let before = MemoryTrend(
      intake.floors, from: span.start - (span.end - span.start), to: span.start)
    return before.map { span.rise >= 6 * $0.scatter } ?? true
  }

  private func test(_ span: MemoryTrend) -> LeakDetector.Basis? {
    let noise = intake.noise(beside: span.slope)
    let step = max(span.slope * intake.spacing, 1)
    let (mean, count) = intake.recent(min(max(0.01 * limit / step, 1), 16))
    let surely = mean - min(2.5 * max(noise / count.squareRoot(), span.scatter / 2), 0.025 * limit)
    let held = intake.lastHeld
    let seconds = span.end - span.start

    if surely >= 0.9015 * limit + min(1.2 * noise, 0.004 * limit) { return .nearTheLimit }
    // The next sample would be too late.
    if held >= 0.91 * limit, held + 1.3 * step >= 0.97 * limit { return .fasterThanSamples }
    if held >= 0.65 * limit, held + step >= 0.985 * limit, span.pace >= 0.8 { return .fasterThanSamples }
    if intake.hasTeeth, span.band >= 0.06 * limit, span.top + intake.broughtByUsers >= 0.89 * limit {
      return .underTeeth
    }
    // What is noise about the mean, or an hourly job on top of it, meets the limit first.
    if mean >= 0.86 * limit, mean + 3.2 * noise >= 0.985 * limit { return .peaksMeetLimit }
    if span.band >= max(0.06 * limit, 12 * noise), span.top + intake.broughtByUsers >= 0.96 * limit {
      return .peaksMeetLimit
    }
    if surely >= 0.86 * limit, seconds >= 604_800, span.pace >= 0.75 { return .forAWeek }
    guard surely >= 0.88 * limit else { return nil }
    if growsIntoSwap(span) { return .intoSwap }
    guard seconds >= 900, let before = quietBefore(span) else { return nil }
    if before.slope.magnitude <= 0.12 * span.slope { return .afterRest }
    if surely >= 0.885 * limit, before.slope >= 0, before.slope <= 0.6 * span.slope { return .faster }
    return nil
  }

  /// What is gained goes to swap, and is not just memory that was idle before.
  private func growsIntoSwap(_ span: MemoryTrend) -> Bool {
    guard let swapping = intake.swapping else { return false }
    let gained = intake.lastSwap - swapping.swap
    let lost = swapping.anon - (intake.lastHeld - intake.lastSwap)
    return gained >= 0.04 * limit && lost <= 0.3 * gained
  }

  /// What was gained as long before, or half as long at least, when no users came in between.
  private func quietBefore(_ span: MemoryTrend) -> MemoryTrend? {
    let seconds = span.end - span.start
    guard span.start >= max(seconds / 2, 600), span.rise >= 0.08 * limit else { return nil }
    if let join = intake.lastJoin, join >= span.start - 1800 { return nil }
    return MemoryTrend(intake.floors, from: max(span.start - seconds, 0), to: span.start)
  }
}
