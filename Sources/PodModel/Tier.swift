public import Time

/// A named policy (podctl-tier(5)). Sizes are in bytes; nil means `infinity`, which is no limit.
public struct Tier: Sendable, Equatable {
  public var name: String
  /// How many users share one pod of this tier.
  public var usersPerPod: Int = 20
  /// The data limit of one user.
  public var dataMax: UInt64?
  public var memoryMax: UInt64?
  public var memoryHigh: UInt64?
  public var memoryLow: UInt64 = 0
  public var memoryMin: UInt64 = 0
  public var memorySwapMax: UInt64? = 0
  /// CPU time per second of wall time: half a second for `50%`. systemd rounds to whole percents.
  public var cpuQuotaPerSec: Microseconds?
  /// 1–10000; nil leaves the kernel's default of 100.
  public var cpuWeight: UInt64?
  public var ioWeight: UInt64?
  public var tasksMax: UInt64?
  /// What podd does about a pod that leaks; nil means the setting of podd.conf(5).
  public var leakAction: LeakAction?
  public var workload: String = "podserve"
  /// Zero means never.
  public var idleFreeze: Microseconds = .zero
  /// Zero means never.
  public var idleStop: Microseconds = .zero
  /// How many requests a user may make through the front door; nil: any number.
  public var requestRate: RequestRate?
  /// How many of them may come at once.
  public var requestBurst: Int = 20
  /// How many connections a user may have at the same time through the front door; nil: any number.
  public var connectionsMax: Int? = 64
  /// Pods of a tier with a higher rank start first after a boot, and lose memory last in a shortage.
  public var rank: Int = 0

  /// The quota in whole CPUs, rounded up; nil without a quota.
  public var cpuCount: Int? {
    cpuQuotaPerSec.map { max(1, Int(clamping: $0.roundedUp(to: .seconds(1)))) }
  }

  public init(name: String) {
    self.name = name
  }
}

extension Tier {
  /// So many requests in an interval, as `RequestRate=` says.
  public struct RequestRate: Sendable, Equatable {
    public var count: Int
    public var interval: Microseconds

    public init(count: Int, interval: Microseconds) {
      self.count = count
      self.interval = interval
    }
  }
}
