extension LeakJudgement {
  private typealias Limits = LeakThresholds.LastChance

  /// The line of the latest samples, if by them the limit is about to be met for the first time: a recycle that may have
  /// been needless is better than the kernel's OOM killer.
  func lastChance() -> MemoryTrend? {
    guard intake.lastHeld >= Limits.level * limit, let since = intake.latest.since,
      let line = intake.latest.line, grows(line), meetsLimit(line), isHighest(since: since)
    else { return nil }
    return MemoryTrend(line: line, from: since, to: intake.now)
  }

  /// Whether the growth goes on, and is not one leap.
  private func grows(_ line: LatestSamples.Line) -> Bool {
    line.slope > 0 && line.halves >= Limits.halves && line.largestGain <= Limits.largestGain * line.range
  }

  private func meetsLimit(_ line: LatestSamples.Line) -> Bool {
    let ahead = isStart ? Limits.aheadAtStart : Limits.ahead
    let next = line.level + line.slope * max(ahead.samples * intake.spacing, ahead.seconds)
    let reaches = Limits.reaches * limit
    if next >= reaches, line.slope >= Limits.certainty * line.error { return true }
    // The pod grows in leaps, of which one more is too much.
    return intake.lastHeld + line.largestGain >= reaches && line.range >= LeakThresholds.leastRise * limit
      && line.slope >= Limits.certaintyOfLeaps * line.error
  }

  /// Whether memory was never as high before `since`: a collector's tooth, or a wave, comes again.
  private func isHighest(since: Float) -> Bool {
    var highest = intake.beginnings >= 2 ? intake.highestBefore : 0
    for stretch in intake.floors.stretches where stretch.start < since {
      highest = max(highest, stretch.high + intake.broughtByUsers)
    }
    return intake.lastHeld > highest
  }
}
