/// Tells a pod that stalls at its memory limit from one that meets it for a moment: MemoryHigh= never kills, and
/// without swap a pod can stand there nearly for ever (facts 21). One for each pod that is under suspicion.
public struct Stall: Sendable, Equatable {
  /// One look at the pod; microseconds and bytes.
  public struct Look: Sendable, Equatable {
    public var at: UInt64
    /// `total=` of the line `full` of its memory.pressure.
    public var full: UInt64
    public var current: UInt64
    /// The lower of memory.high and memory.max; nil for none.
    public var limit: UInt64?

    public init(at: UInt64, full: UInt64, current: UInt64, limit: UInt64?) {
      self.at = at
      self.full = full
      self.current = current
      self.limit = limit
    }
  }

  public enum Verdict: Sendable, Equatable {
    /// To be looked at again.
    case watched
    /// The suspicion is gone.
    case over
    /// It has stalled for too long.
    case treat
  }

  /// The share of the time that makes a stall, and the one below which it is none.
  public static let stalls = 0.2
  public static let recovers = 0.1
  /// Memory within so much of the limit is at it: the kernel charges in batches.
  static let atLimit = 0.95
  /// So many looks in a row without a stall end the suspicion.
  static let calmLooks = 3
  static let longest: UInt64 = 3_600_000_000

  /// Since when it stalls.
  public private(set) var since: UInt64?
  /// The share of the time between the last two looks in which nothing of it could run.
  public private(set) var share = 0.0
  public private(set) var last: Look
  private var calm = 0
  private var below = 0

  public init(_ first: Look) {
    last = first
  }

  /// - Parameters:
  ///   - timeout: How long a pod may stall, microseconds.
  ///   - treatedBefore: How often it was treated for a stall within the last hour: each time it is given twice as
  ///     long, an hour at most.
  public mutating func look(_ look: Look, timeout: UInt64, treatedBefore: Int) -> Verdict {
    guard look.at > last.at else { return .watched }
    share = Double(look.full - min(last.full, look.full)) / Double(look.at - last.at)
    let begun = last.at
    last = look
    guard share >= Self.stalls, isAtLimit(look) else {
      calm = share < Self.recovers || !isAtLimit(look) ? calm + 1 : 0
      below += 1
      // No stall any more, and not above suspicion yet.
      if below >= Self.calmLooks { since = nil }
      return calm >= Self.calmLooks ? .over : .watched
    }
    (calm, below) = (0, 0)
    let since = since ?? begun
    self.since = since
    return look.at - since >= Self.patience(timeout, treatedBefore) ? .treat : .watched
  }

  /// Microseconds.
  public static func patience(_ timeout: UInt64, _ treatedBefore: Int) -> UInt64 {
    guard treatedBefore > 0, timeout < longest else { return timeout }
    let doublings = UInt64(min(treatedBefore, 32))
    return timeout > longest >> doublings ? longest : timeout << doublings
  }

  private func isAtLimit(_ look: Look) -> Bool {
    guard let limit = look.limit else { return false }
    return Double(look.current) >= Double(limit) * Self.atLimit
  }
}
