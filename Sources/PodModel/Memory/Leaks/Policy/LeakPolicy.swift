public import Time

/// Decides what is done about a leak that was found, and when; sizes in bytes.
public struct LeakPolicy: Sendable, Equatable {
  public var action = LeakAction.recycle
  /// Most recycles for leaks on the whole host within any hour; 0 is a dry run.
  public var recyclesPerHour = 12

  /// The share of the limit that must be free when the pod is recycled, and the seconds that the free memory must last
  /// at the pod's rate of growth: a handover takes time, and the rate is an estimate.
  public static let leastFree = 0.1
  public static let leastTime = 120.0

  /// How long a new leak is observed when the pod was recycled for one before; doubles with each further leak.
  static let firstObservation: Microseconds = .minutes(5)
  static let longestObservation: Microseconds = .hours(4)
  /// The interval of `recyclesPerHour`.
  public static let hour: Microseconds = .hours(1)
  /// Older leaks prove nothing about the present one.
  public static let day: Microseconds = .days(1)

  public init() {}

  /// Everything that a decision depends on.
  public struct Situation: Sendable, Equatable {
    public var now: LoopTime
    public var finding: LeakDetector.Finding
    public var load = LoadCourse()
    /// Whether the pods of the same workload version leak alike (``LeakSiblings``).
    public var isOfTheVersion = false
    /// When pods of this host were recycled for a leak within the last day; and when this pod was.
    public var recycles: [LoopTime] = []
    public var ownRecycles: [LoopTime] = []

    public init(now: LoopTime, finding: LeakDetector.Finding) {
      self.now = now
      self.finding = finding
    }
  }

  public enum Verdict: Sendable, Equatable {
    /// There is no leak, or LeakAction=none.
    case nothing
    /// Wait, at the latest until the given time; nil means without a bound.
    case wait(Reason, until: LoopTime?)
    case recycle(Reason)
    /// Report the leak and leave the pod alone. Decide again at the given time, if there is one.
    case alert(Reason, until: LoopTime? = nil)
  }

  public enum Reason: Sendable, Equatable {
    /// Little of the limit is left, or it will not last long.
    case due
    /// The pod is as quiet as it ever gets.
    case quiet
    /// podd waits for a quiet moment.
    case busy
    /// The pod was recycled for a leak this many times within a day.
    case leakedBefore(Int)
    case dryRun
    case version
    case budget(Int)
    /// This pod alone has used up half of the host's budget.
    case share(Int)
  }

  public func decide(_ situation: Situation) -> Verdict {
    let finding = situation.finding
    guard action != .ignore, finding.isLeak else { return .nothing }
    if situation.isOfTheVersion { return .alert(.version) }
    if action == .alert || recyclesPerHour <= 0 { return .alert(.dryRun) }
    let deadline = Self.deadline(finding, now: situation.now)
    guard let reason = cause(situation, deadline) else {
      return waiting(situation, deadline)
    }
    // A missed quiet moment costs nothing; a missed deadline is reported.
    if let (spent, until) = spent(situation) {
      return reason == .due ? .alert(spent, until: until) : .wait(spent, until: until)
    }
    return .recycle(reason)
  }

  /// When the pod must be recycled at the latest; nil for a leak that will not meet a limit.
  public static func deadline(_ finding: LeakDetector.Finding, now: LoopTime) -> LoopTime? {
    guard let limit = finding.limit else { return nil }
    let free = Double(limit) - Double(finding.held)
    // The upper end of the interval, because a little too early harms less than too late.
    let pace = max(finding.slope, finding.slopeHigh)
    let reserve = max(Double(limit) * leastFree, pace * leastTime)
    if free <= reserve { return now }
    guard pace > 0 else { return nil }
    let deadline = now + Microseconds(seconds: (free - reserve) / pace)
    return deadline == .never ? nil : deadline
  }

  private func cause(_ situation: Situation, _ deadline: LoopTime?) -> Reason? {
    if let deadline, deadline <= situation.now { return .due }
    if situation.now < observedUntil(situation) { return nil }
    return situation.load.isQuiet ? .quiet : nil
  }

  private func waiting(_ situation: Situation, _ deadline: LoopTime?) -> Verdict {
    let end = observedUntil(situation)
    guard situation.now < end else { return .wait(.busy, until: deadline) }
    return .wait(.leakedBefore(before(situation)), until: min(end, deadline ?? .never))
  }

  /// A pod that leaks again soon is observed for longer; its deadline stays.
  private func observedUntil(_ situation: Situation) -> LoopTime {
    let before = before(situation)
    guard before > 0 else { return .zero }
    let observation = min(Self.firstObservation * (1 << min(before - 1, 16)), Self.longestObservation)
    return (situation.finding.detectedAt ?? situation.now) + observation
  }

  private func before(_ situation: Situation) -> Int {
    situation.ownRecycles.count { $0 + Self.day > situation.now }
  }

  /// Why no recycle is left within the hour, and until when. One pod gets at most half of them, so that other pods get
  /// theirs.
  private func spent(_ situation: Situation) -> (Reason, until: LoopTime)? {
    let share = max(1, recyclesPerHour / 2)
    if let until = Self.nextTurn(situation.recycles, of: recyclesPerHour, situation.now) {
      return (.budget(recyclesPerHour), until)
    }
    return Self.nextTurn(situation.ownRecycles, of: share, situation.now).map { (.share(share), $0) }
  }

  private static func nextTurn(_ times: [LoopTime], of most: Int, _ now: LoopTime) -> LoopTime? {
    let recent = times.filter { $0 + hour > now }.sorted()
    guard recent.count >= most else { return nil }
    return recent[recent.count - most] + hour
  }
}

extension LeakPolicy.Reason {
  /// One clause for `podctl status` and the journal.
  public var clause: String {
    switch self {
    case .due: "not much of its limit is left at this pace"
    case .quiet: "it is as quiet now as it gets"
    case .busy: "a quiet moment is waited for"
    case .leakedBefore(let times):
      "it was recycled for a leak \(times) time\(times == 1 ? "" : "s") within a day, so it is looked at for longer"
    case .dryRun: "LeakAction=alert, or LeakRecyclesPerHour=0: nothing is done"
    case .version: "its siblings of the same workload version grow alike: recycling would cure none of them"
    case .budget(let most): "the \(most) recycles of LeakRecyclesPerHour= are used up"
    case .share(let most): "it has had \(most) recycles within an hour, half of LeakRecyclesPerHour="
    }
  }
}
