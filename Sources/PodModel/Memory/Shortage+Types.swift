extension Shortage {
  /// What podd may do about a shortage (`ShortageAction=`); each includes those before it.
  public enum Action: String, Sendable, CaseIterable, Comparable {
    case none
    /// Have the kernel take page cache, and with swap other pages, from idle pods.
    case reclaim
    /// Freeze idle pods whose memory can be swapped out.
    case freeze
    /// Stop idle pods.
    case stop

    private var strength: Int { Self.allCases.firstIndex(of: self) ?? 0 }
    public static func < (left: Action, right: Action) -> Bool { left.strength < right.strength }
  }

  public struct Policy: Sendable, Equatable {
    /// Of the time, 0–1: as long as some task waits for memory this much of it, memory is short.
    public var pressureLimit = 0.1
    /// Bytes of `host.total` below which pressure counts: a pod that meets its own limit stalls too, while the host
    /// has plenty. Below half of it memory is short without any pressure, because without swap the kernel's OOM
    /// killer may come before it.
    public var availableMin = 0.05
    public var action = Action.stop

    public init() {}
  }

  /// The host, or pods.slice with a limit of its own.
  public struct Level: Sendable, Equatable {
    /// The share of time, 0–1, in which some task waited for memory, since the last look (PSI's `some`).
    public var stall: Double
    /// Bytes that can be had without taking anything from anybody: MemAvailable, or the limit without what is used
    /// apart from page cache.
    public var available: UInt64
    public var total: UInt64

    public init(stall: Double, available: UInt64, total: UInt64) {
      self.stall = stall
      self.available = available
      self.total = total
    }
  }

  /// A pod that runs or is frozen. Bytes, and microseconds by the caller's clock.
  public struct Candidate: Sendable, Equatable {
    public var pod: PodName
    /// Its tier's.
    public var rank: Int
    public var isFrozen = false
    public var current: UInt64 = 0
    /// Page cache of it.
    public var file: UInt64 = 0
    public var memoryLow: UInt64 = 0
    /// What it may still put into swap: the least of what is free and what its limit leaves.
    public var swapLeft: UInt64 = 0
    /// Since when it has been idle; nil for one that is busy.
    public var idleSince: UInt64?

    public init(pod: PodName, rank: Int) {
      self.pod = pod
      self.rank = rank
    }

    /// Page cache; what a program that runs would soon have back from swap is left to it. Never what MemoryLow=
    /// protects.
    var reclaimable: UInt64 { min(file, current - min(current, memoryLow)) }

    /// Whether freezing and swapping it out gives back most of what stopping it would.
    var canSleepInSwap: Bool { swapLeft > 0 && swapLeft >= current - min(current, file) }
  }

  /// What is done next, and the figures it was decided on.
  public struct Step: Sendable, Equatable {
    public enum Act: Sendable, Equatable {
      /// So many bytes.
      case reclaim(UInt64)
      case freeze
      case stop

      public var name: String {
        switch self {
        case .reclaim: "reclaim"
        case .freeze: "freeze"
        case .stop: "stop"
        }
      }
    }

    public var pod: PodName
    public var act: Act
    /// The how-manieth act of this shortage.
    public var order: Int
    public var idleUSec: UInt64
    /// Which of the two is short, and by what figures.
    public var host: Level
    public var pods: Level?
  }

  public enum Verdict: Sendable, Equatable {
    /// Memory is not short; look again when the kernel says so.
    case calm
    /// Do this, then look again.
    case act(Step)
    /// Short, and nobody is left to give anything up; or not sure yet that it is over. Look again soon.
    case watch(isStuck: Bool)
    /// It is over, after so many acts.
    case over(acts: Int, lasted: UInt64)
  }
}
