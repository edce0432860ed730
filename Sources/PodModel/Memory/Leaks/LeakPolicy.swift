/// Decides what is done about a leak that was found, and when. Times are microseconds of one clock, sizes bytes.
public struct LeakPolicy: Sendable, Equatable {
  public var action = LeakAction.recycle
  /// On the whole host, within any hour; 0 is a dry run.
  public var recyclesPerHour = 12

  /// The part of the limit that is to be free when it is recycled, and for how long what is free has to last at its
  /// pace: a handover takes time, and a pace is an estimate.
  public static let leastFree = 0.1
  public static let leastTime = 120.0

  /// How long a leak of a pod that has leaked before is looked at, at first; it doubles with each further one.
  static let firstLook: UInt64 = 300_000_000
  static let longestLook: UInt64 = 14_400_000_000
  /// What the budget is for.
  public static let hour: UInt64 = 3_600_000_000
  /// Leaks that are as long ago say nothing about this one.
  public static let day: UInt64 = 86_400_000_000

  public init() {}

  /// What is known when a decision is due.
  public struct Situation: Sendable, Equatable {
    public var now: UInt64
    public var finding: LeakDetector.Finding
    public var load = LoadCourse()
    /// Its siblings of the same workload version leak alike (``LeakSiblings``).
    public var isOfTheVersion = false
    /// When pods of this host were recycled for a leak within the last day, and this pod among them.
    public var recycles: [UInt64] = []
    public var ownRecycles: [UInt64] = []

    public init(now: UInt64, finding: LeakDetector.Finding) {
      self.now = now
      self.finding = finding
    }
  }

  public enum Verdict: Sendable, Equatable {
    /// No leak, or nobody wants to know.
    case nothing
    /// Until the time given at the latest; nil: as long as it takes.
    case wait(Reason, until: UInt64?)
    case recycle(Reason)
    /// Told of, and left alone; looked at again at the time given, where one is known.
    case alert(Reason, until: UInt64? = nil)
  }

  public enum Reason: Sendable, Equatable {
    /// Not much of the limit is left, or not for long.
    case due
    /// The pod is as quiet as it gets.
    case quiet
    /// A quiet moment is waited for.
    case busy
    /// It has leaked so many times within a day.
    case leakedBefore(Int)
    case dryRun
    case version
    case budget(Int)
    /// This pod alone has used up half of the budget.
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
    // A quiet moment costs nothing to miss; a deadline is told of when it must be.
    if let (spent, until) = spent(situation) {
      return reason == .due ? .alert(spent, until: until) : .wait(spent, until: until)
    }
    return .recycle(reason)
  }

  /// When it has to be recycled at the latest; nil for a leak that meets no limit.
  public static func deadline(_ finding: LeakDetector.Finding, now: UInt64) -> UInt64? {
    guard let limit = finding.limit else { return nil }
    let free = Double(limit) - Double(finding.held)
    // The upper end of the interval: too early by a little harms less than too late.
    let pace = max(finding.slope, finding.slopeHigh)
    let reserve = max(Double(limit) * leastFree, pace * leastTime)
    if free <= reserve { return now }
    guard pace > 0 else { return nil }
    let microseconds = (free - reserve) / pace * 1_000_000
    return microseconds < Double(Int64.max) ? now.after(UInt64(microseconds)) : nil
  }

  private func cause(_ situation: Situation, _ deadline: UInt64?) -> Reason? {
    if let deadline, deadline <= situation.now { return .due }
    if situation.now < lookedAtUntil(situation) { return nil }
    return situation.load.isQuiet ? .quiet : nil
  }

  private func waiting(_ situation: Situation, _ deadline: UInt64?) -> Verdict {
    let look = lookedAtUntil(situation)
    guard situation.now < look else { return .wait(.busy, until: deadline) }
    return .wait(.leakedBefore(before(situation)), until: min(look, deadline ?? .max))
  }

  /// A pod that leaks again soon is looked at for longer; its deadline stays.
  private func lookedAtUntil(_ situation: Situation) -> UInt64 {
    let before = before(situation)
    guard before > 0 else { return 0 }
    let look = before > 16 ? Self.longestLook : min(Self.firstLook << UInt64(before - 1), Self.longestLook)
    return (situation.finding.detectedAt ?? situation.now).after(look)
  }

  private func before(_ situation: Situation) -> Int {
    situation.ownRecycles.count { $0.after(Self.day) > situation.now }
  }

  /// Whether the hour's recycles are used up, and until when. One pod gets half of them at most, so that the
  /// others' turns come.
  private func spent(_ situation: Situation) -> (Reason, until: UInt64)? {
    let share = max(1, recyclesPerHour / 2)
    if let until = Self.nextTurn(situation.recycles, of: recyclesPerHour, situation.now) {
      return (.budget(recyclesPerHour), until)
    }
    return Self.nextTurn(situation.ownRecycles, of: share, situation.now).map { (.share(share), $0) }
  }

  private static func nextTurn(_ times: [UInt64], of most: Int, _ now: UInt64) -> UInt64? {
    let recent = times.filter { $0.after(hour) > now }.sorted()
    guard recent.count >= most else { return nil }
    return recent[recent.count - most].after(hour)
  }
}

extension LeakPolicy.Reason {
  /// One clause for status and the journal.
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
