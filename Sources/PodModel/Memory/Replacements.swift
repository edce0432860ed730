public import Time

/// Which pods podd replaces because of their memory, for a leak or a stall: few at the same time, because launches for
/// which users wait come first.
public struct Replacements: Sendable, Equatable {
  /// What the decision needs to know of a pod.
  public struct Pod: Sendable, Equatable {
    public var state: PodState
    /// Whether another generation is to take over.
    public var isBeingReplaced: Bool
    /// Whether it has a successor or a predecessor.
    public var hasOther: Bool

    public init(state: PodState, isBeingReplaced: Bool, hasOther: Bool) {
      self.state = state
      self.isBeingReplaced = isBeingReplaced
      self.hasOther = hasOther
    }

    /// Whether a replacement that was begun is still under way: until one generation is left, which serves or is frozen,
    /// or none is left.
    fileprivate var isUnderWay: Bool {
      isBeingReplaced || hasOther || (state != .ready && state != .frozen && state.hasScope)
    }
  }

  /// Why a pod cannot be replaced now.
  public enum Hindrance: Sendable, Equatable {
    case replacedAlready
    case noSettings
    /// So many other pods are being replaced, which is the limit.
    case others(Int)

    /// One clause for the journal.
    public var clause: String {
      switch self {
      case .replacedAlready: "it is being replaced already"
      case .noSettings: "its settings do not parse, so no next generation could be launched"
      case .others(let count): "\(count) others are being replaced"
      }
    }
  }

  private var underWay: Set<PodName> = []

  public init() {}

  /// Whether a pod can be replaced now.
  ///
  /// - Parameters:
  ///   - canLaunch: whether its next generation could be launched. Asked only if it matters.
  ///   - launchesMax: `LaunchesMax=`. Half of it may be used for this.
  ///   - pod: a pod as it is now; nil if there is none.
  /// - Returns: nil if it can, else why not.
  public mutating func hindrance(
    of name: PodName, canLaunch: () -> Bool, launchesMax: Int, pod: (PodName) -> Pod?
  ) -> Hindrance? {
    underWay = underWay.filter { pod($0)?.isUnderWay ?? false }
    guard let own = pod(name), own.state == .ready, !own.isBeingReplaced, !underWay.contains(name) else {
      return .replacedAlready
    }
    if !canLaunch() { return .noSettings }
    return underWay.count >= max(1, launchesMax / 2) ? .others(underWay.count) : nil
  }

  /// The replacement of a pod begins.
  public mutating func begin(_ name: PodName) { underWay.insert(name) }
}

/// The pauses between the replacements of one generation for a leak. A successor that does not become ready costs a
/// launch, and the leak is found again with the next sample: so the first pause is five minutes, each further one is
/// twice as long, and none is longer than an hour.
public struct ReplacementPause: Sendable {
  private var pause = DoublingPause(first: .minutes(5), longest: .hours(1))
  private var end = LoopTime.zero

  public init() {}

  public func isOver(at now: LoopTime) -> Bool { now >= end }

  /// A replacement begins.
  public mutating func begin(at now: LoopTime) { end = now + pause.next() }
}
