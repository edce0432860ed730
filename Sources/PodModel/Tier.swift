/// A named policy (contract, "Default tiers"). Sizes are bytes, durations microseconds, as in systemd's
/// own D-Bus properties; nil means systemd's `infinity`, which for a limit is "none".
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
  /// CPU time per second of wall time, in microseconds: `50%` is 500,000. systemd rounds to whole percents.
  public var cpuQuotaPerSecUSec: UInt64?
  /// 1–10000; nil leaves the kernel's default of 100.
  public var cpuWeight: UInt64?
  public var ioWeight: UInt64?
  public var tasksMax: UInt64?
  /// What is done about a pod that leaks; nil: what podd.conf says.
  public var leakAction: LeakAction?
  public var workload: String = "podserve"
  /// Zero: never.
  public var idleFreezeUSec: UInt64 = 0
  /// Zero: never.
  public var idleStopUSec: UInt64 = 0
  /// Tiers with a higher rank start first after a boot and are given up last.
  public var rank: Int = 0

  /// The CPUs that the quota is worth, at least one; nil without a quota.
  public var cpuCount: Int? {
    cpuQuotaPerSecUSec.map { max(1, Int(clamping: ($0 + 999_999) / 1_000_000)) }
  }

  public init(name: String) {
    self.name = name
  }
}
