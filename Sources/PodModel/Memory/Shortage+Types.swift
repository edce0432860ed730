public import Time

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
    /// Memory is short when some task waits for memory during this share of the time, 0–1.
    public var pressureLimit = 0.1
    /// Share of `Level.total`: pressure counts only when less than this is available, because a pod at its own limit
    /// causes pressure while the host has plenty. Below half of it memory is short even without pressure, because
    /// without swap the kernel's OOM killer may act before pressure shows.
    public var availableMin = 0.05
    public var action = Action.stop

    public init() {}
  }

  /// The host, or pods.slice with a limit of its own.
  public struct Level: Sendable, Equatable {
    /// Share of time, 0–1, in which some task waited for memory since the previous sample (PSI's `some`).
    public var stall: Double
    /// Bytes that can be allocated without taking memory from a program: MemAvailable of the host; for a slice, its
    /// limit less what is used apart from page cache.
    public var available: UInt64
    public var total: UInt64

    public init(stall: Double, available: UInt64, total: UInt64) {
      self.stall = stall
      self.available = available
      self.total = total
    }
  }

  /// A pod that runs or is frozen; sizes in bytes.
  public struct Candidate: Sendable, Equatable {
    public var pod: PodName
    /// The rank of its tier.
    public var rank: Int
    public var isFrozen = false
    public var current: UInt64 = 0
    /// Its page cache.
    public var file: UInt64 = 0
    public var memoryLow: UInt64 = 0
    /// How much it may still move to swap: the smaller of the free swap and what its own swap limit leaves.
    public var swapLeft: UInt64 = 0
    /// Since when it has been idle; nil while it is busy.
    public var idleSince: LoopTime?

    public init(pod: PodName, rank: Int) {
      self.pod = pod
      self.rank = rank
    }

    /// Bytes to reclaim: page cache only, because a running program would soon read swapped pages back. Memory that
    /// MemoryLow= protects is never included.
    var reclaimable: UInt64 { min(file, current - min(current, memoryLow)) }

    /// Whether freezing the pod and swapping it out frees about as much as stopping it would.
    var canSleepInSwap: Bool { swapLeft > 0 && swapLeft >= current - min(current, file) }
  }

  /// The next action, and the figures that it was decided on.
  public struct Step: Sendable, Equatable {
    public enum Act: Sendable, Equatable {
      /// Reclaim this many bytes.
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
    /// Position of this action in the sequence of actions for this shortage, starting at 1.
    public var order: Int
    public var idle: Microseconds
    /// The two levels as they were sampled: at least one of them is short.
    public var host: Level
    public var pods: Level?
  }

  public enum Verdict: Sendable, Equatable {
    /// Memory is not short. Sample again when the kernel reports pressure.
    case calm
    /// Perform this step, then sample again.
    case act(Step)
    /// Sample again soon: either memory is short and no pod can give up any (`isStuck`), or the shortage may be over
    /// but has not been over for long enough.
    case watch(isStuck: Bool)
    /// The shortage is over.
    case over(acts: Int, lasted: Microseconds)
  }
}
