public import Time

/// Distinguishes a pod that stalls at its memory limit from a pod that meets the limit for a moment. MemoryHigh= never
/// kills, and without swap a pod can stall there almost for ever (facts 21). podd keeps one value per suspected pod.
public struct Stall: Sendable, Equatable {
  /// One sample of the pod; sizes in bytes.
  public struct Look: Sendable, Equatable {
    public var at: LoopTime
    /// `total=` of the line `full` of its memory.pressure.
    public var full: Microseconds
    public var current: UInt64
    /// The lower of memory.high and memory.max; nil for none.
    public var limit: UInt64?

    public init(at: LoopTime, full: Microseconds, current: UInt64, limit: UInt64?) {
      self.at = at
      self.full = full
      self.current = current
      self.limit = limit
    }
  }

  public enum Verdict: Sendable, Equatable {
    /// The pod stays under suspicion: sample it again.
    case watched
    /// The pod is no longer suspected.
    case over
    /// The pod has stalled for too long and is to be recycled.
    case treat
  }

  /// A pod stalls when all its processes wait for memory during this share of the time; below the second share it has
  /// recovered.
  public static let stalls = 0.2
  public static let recovers = 0.1
  /// Usage above this share of the limit counts as being at the limit, because the kernel charges memory in batches.
  static let atLimit = 0.95
  /// This many samples in a row without a stall end the suspicion.
  static let calmLooks = 3
  static let longest: Microseconds = .hours(1)

  /// Since when the pod stalls; nil while it does not.
  public private(set) var since: LoopTime?
  /// Share of the time between the last two samples in which none of the pod's processes could run.
  public private(set) var share = 0.0
  public private(set) var last: Look
  private var calm = 0
  private var below = 0

  public init(_ first: Look) {
    last = first
  }

  /// Takes the next sample.
  ///
  /// - Parameters:
  ///   - timeout: How long a pod may stall.
  ///   - treatedBefore: How often the pod was recycled for a stall within the last hour. The timeout doubles each time,
  ///     up to one hour.
  public mutating func look(_ look: Look, timeout: Microseconds, treatedBefore: Int) -> Verdict {
    guard look.at > last.at else { return .watched }
    share = (look.full - last.full).share(of: look.at - last.at)
    let begun = last.at
    last = look
    guard share >= Self.stalls, isAtLimit(look) else {
      calm = share < Self.recovers || !isAtLimit(look) ? calm + 1 : 0
      below += 1
      // The stall has ended; the suspicion has not yet.
      if below >= Self.calmLooks { since = nil }
      return calm >= Self.calmLooks ? .over : .watched
    }
    (calm, below) = (0, 0)
    let since = since ?? begun
    self.since = since
    return look.at - since >= Self.patience(timeout, treatedBefore) ? .treat : .watched
  }

  /// How long a pod may stall after it was recycled for stalls `treatedBefore` times.
  public static func patience(_ timeout: Microseconds, _ treatedBefore: Int) -> Microseconds {
    guard treatedBefore > 0, timeout < longest else { return timeout }
    return min(timeout * (1 << min(treatedBefore, 32)), longest)
  }

  private func isAtLimit(_ look: Look) -> Bool {
    guard let limit = look.limit else { return false }
    return Double(look.current) >= Double(limit) * Self.atLimit
  }
}
