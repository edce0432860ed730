/// The figures of docs/leaks.md, under its names. Every share is a share of the limit. The values were tuned on
/// seeds below 1001 of the leak benchmark (docs/leak-benchmark.md).
enum LeakThresholds {
  /// The promise: what stands at this level, or goes up to it in a line, is left alone.
  static let plateau: Float = 0.9
  /// The smallest gain that is worth a judgement.
  static let leastRise: Float = 0.04

  // MARK: Steady growth

  /// The slope, in standard errors: with eight blocks chance exceeds this once in 2,000 spans.
  static let certainty: Float = 6
  /// The rise, in standard deviations of the floors about the line.
  static let riseToScatter: Float = 8
  /// The last block's gain in mean blocks' gains: below it the growth has ended.
  static let lastGain: Float = 0.35
  /// The largest block's gain in mean blocks' gains: above it the growth is one leap.
  static let largestGain: Float = 3.6
  /// Growth that is expected to settle below this level is not steady.
  static let settlesBelow: Float = 0.97

  // MARK: New growth

  /// The span must end higher than all before it by this share of its rise.
  static let riseAboveBefore: Float = 0.4
  /// The span's rise, in scatters of the span before it: below it the rise is one wave among others.
  static let riseToEarlierScatter: Float = 6
  /// What came and went may go again: memory must stand higher above the trough than this many of what was given back,
  /// or it must not have been down there (in this lower part of the fall) for this share of the time before.
  static let givenBack: (height: Float, down: Float, age: Float) = (1.5, 0.25, 0.5)

  // MARK: Surely held

  /// Standard errors that are subtracted from the mean, and the most that they may take from it.
  static let meanErrors: Float = 2.5
  static let meanErrorsMost: Float = 0.025
  /// The mean is taken over as many samples as gain no more than this.
  static let meanGain: Float = 0.01

  // MARK: Before the levels

  /// The growth of a program that is younger than this is its start.
  static let startSeconds: Float = 600
  /// A program that held more at the first sample had started before.
  static let startsBelow: Float = 0.18
  /// What began as a start goes on if the latest samples gain this share of the span's slope.
  static let startGoesOn: Float = 0.5
  /// What stood still for this long had started.
  static let calmSeconds: Float = 60
  /// Growth before a span is looked at for these many times the span's length, if it is as certain as this.
  static let slowing: [Float] = [1, 2, 4]
  static let slowingCertainty: Float = 3

  // MARK: Levels

  static let nearTheLimit: Float = plateau + 0.0015
  /// The noise that is added to `nearTheLimit`: in standard deviations, and at most as a share.
  static let nearTheLimitNoise: Float = 1.2
  static let nearTheLimitNoiseMost: Float = 0.004
  /// `fasterThanSamples`: the level, the steps until the next sample counts, and where they lead.
  static let nextSample: (level: Float, steps: Float, reaches: Float) = (0.91, 1.3, 0.97)
  /// The same for growth that is steeper and does not slow down.
  static let nextSampleSteep: (level: Float, reaches: Float, pace: Float) = (0.65, 0.985, 0.8)
  /// `underTeeth`: the height of a tooth, and the level of the tips.
  static let teeth: (band: Float, top: Float) = (0.06, plateau)
  /// `peaksMeetLimit` by noise: the mean, the standard deviations above it, and what they reach.
  static let noisePeaks: (mean: Float, deviations: Float, reaches: Float) = (0.8, 3.9, 1)
  /// `peaksMeetLimit` by a recurring job: the peak's height as a share and in noise, and the level of the tips.
  static let jobPeaks: (band: Float, noises: Float, top: Float) = (0.06, 12, 0.96)
  /// `forAWeek`: the level, the seconds and the pace.
  static let week: (level: Float, seconds: Float, pace: Float) = (0.86, 604_800, 0.75)
  /// `afterRest` and `intoSwap` need this level, `afterRest` and `faster` this many seconds.
  static let afterRest: Float = 0.88
  static let afterRestSeconds: Float = 900
  /// `afterRest`: the slope before the span, as a share of the span's.
  static let restSlope: Float = 0.12
  /// `faster`: the level, and the slope before the span as a share of the span's.
  static let faster: (level: Float, slopeBefore: Float) = (0.885, 0.6)
  /// `intoSwap`: what went to swap, and how much of it may have come from memory.
  static let swap: (gained: Float, lost: Float) = (0.04, 0.3)
  /// A span before the growth: its fewest seconds, the rise it needs, and seconds without new users before it.
  static let before: (seconds: Float, rise: Float, sinceUsers: Float) = (600, 0.08, 1800)

  /// `aboutToMeet`: what the latest eight samples must show.
  enum LastChance {
    static let level = plateau
    /// How far ahead they are continued, and what they reach then.
    static let ahead: (samples: Float, seconds: Float, reaches: Float) = (2.2, 22, 0.99)
    /// The same for growth that is expected to end: that of a program that starts, for which the time is also a share of
    /// its age, and what came and went before.
    static let aheadOfItsEnd: (samples: Float, ofAge: Float, reaches: Float) = (1, 0.04, 1)
    /// A program that meets its limit sooner after its start does so again before a recycle helps.
    static let startSeconds: Float = 120
    /// The slope in standard errors; and that of growth in leaps.
    static let certainty: Float = 5
    static let certaintyOfLeaps: Float = 2.7
    /// The least gain of the second half, in gains of the first.
    static let halves: Float = 0.5
    /// The largest gain from sample to sample, as a share of the range: more is one leap, less is no growth in leaps.
    static let largestGain: Float = 0.6
    static let leap: Float = 0.3
  }
}
