import Time

/// Whether the wall clock can be believed when something is to be deleted by its age. A host without a battery starts
/// in another year, until it has heard from NTP; an admin or a migration may set the clock to anything for a moment.
struct SteadyClock {
  /// How long it must have run without a step.
  static let patience: Microseconds = .hours(3)
  /// What adjusting the clock's speed may add up to.
  private static let tolerance: Microseconds = .minutes(1)

  private var since: ClockReading?

  /// To be called now and then, with both clocks as they are. The first call begins the time.
  mutating func isSteady(_ now: ClockReading) -> Bool {
    guard let since else {
      since = now
      return false
    }
    let expected = since.wall(of: now.loop)
    let step = expected > now.wall ? expected - now.wall : now.wall - expected
    if step > Self.tolerance {
      self.since = now
      return false
    }
    return now.loop - since.loop >= Self.patience
  }
}
