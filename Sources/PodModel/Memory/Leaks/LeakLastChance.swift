extension LeakJudgement {
  private typealias Limits = LeakThresholds.LastChance

  /// The line of the latest samples, if by them the limit is about to be met for the first time: a recycle that may have
  /// been needless is better than the kernel's OOM killer.
  func lastChance() -> MemoryTrend? {
    guard intake.lastHeld >= Limits.level * limit, !isYoung || intake.now >= Limits.startSeconds,
      let since = intake.latest.since, let line = intake.latest.line, grows(line),
      meetsLimit(line, since: since), isHighest(since: since)
    else { return nil }
    return MemoryTrend(line: line, from: since, to: intake.now)
  }

  /// Whether the growth goes on, and is not one leap.
  private func grows(_ line: LatestSamples.Line) -> Bool {
    line.slope > 0 && line.halves >= Limits.halves && line.largestGain <= Limits.largestGain * line.range
  }

  private func meetsLimit(_ line: LatestSamples.Line, since: Float) -> Bool {
    let next: Float
    let reaches: Float
    let height = intake.lastHeld - intake.broughtByUsers
    if isYoung || mayBeGivenBack(height, since: since) {
      // A load in a line, from nothing and of any length, gains the same in a share of its age.
      let end = Limits.aheadOfItsEnd
      let age = isYoung ? end.ofAge * intake.now : 0
      next = line.level + line.slope * max(end.samples * intake.spacing, age)
      reaches = end.reaches * limit
    } else {
      next = line.level + line.slope * max(Limits.ahead.samples * intake.spacing, Limits.ahead.seconds)
      reaches = Limits.ahead.reaches * limit
    }
    if next >= reaches, line.slope >= Limits.certainty * line.error { return true }
    // The pod grows in leaps, of which one more is too much.
    return line.largestGain >= Limits.leap * line.range && intake.lastHeld + line.largestGain >= reaches
      && line.range >= LeakThresholds.leastRise * limit
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
