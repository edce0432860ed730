public import PodModel
public import Systemd
public import Time

/// One tier as `ListTiers` gives it (TierRow of org.podctl1.xml). Sizes are bytes, nil is "no limit".
public struct TierRow: Row, Equatable {
  public static let signature = "sutttttsuus"

  public var tier: String
  public var usersPerPod: UInt32
  public var dataMax: UInt64?
  public var memoryMax: UInt64?
  public var memoryHigh: UInt64?
  /// CPU time per second of wall time: half a second for 50%.
  public var cpuQuotaPerSec: Microseconds?
  public var tasksMax: UInt64?
  public var workload: String
  public var pods: UInt32
  public var users: UInt32
  /// The file that the tier was read from.
  public var source: String?

  public init(tier: String, usersPerPod: UInt32, workload: String, pods: UInt32, users: UInt32) {
    self.tier = tier
    self.usersPerPod = usersPerPod
    self.workload = workload
    self.pods = pods
    self.users = users
  }

  public init(reading message: borrowing Message) throws(BusError) {
    try message.enterStructure(Self.signature)
    tier = try message.readString()
    usersPerPod = try message.readUInt32()
    dataMax = try message.readSize()
    memoryMax = try message.readSize()
    memoryHigh = try message.readSize()
    cpuQuotaPerSec = try message.readOptionalSpan()
    tasksMax = try message.readSize()
    workload = try message.readString()
    pods = try message.readUInt32()
    users = try message.readUInt32()
    source = try message.readOptionalString()
    try message.exitContainer()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.openContainer(.structure, Self.signature)
    try message.append(tier)
    try message.append(usersPerPod)
    try message.append(dataMax ?? PodBus.noSize)
    try message.append(memoryMax ?? PodBus.noSize)
    try message.append(memoryHigh ?? PodBus.noSize)
    try message.appendOptional(cpuQuotaPerSec)
    try message.append(tasksMax ?? PodBus.noSize)
    try message.append(workload)
    try message.append(pods)
    try message.append(users)
    try message.append(source ?? "")
    try message.closeContainer()
  }

  /// Whether the tier's settings are known. They are not when its file has a mistake and podd has no earlier settings;
  /// podd gives 0 and "" then.
  public var isKnown: Bool { usersPerPod > 0 }

  /// The object of `podctl tiers --json`; `cpu_quota` is CPU seconds per second.
  /// - Parameter mistakes: Those in the tier's files and its workload's.
  public func json(mistakes: [SettingsMistake]) -> JSON {
    .object([
      ("tier", .string(tier)), ("users_per_pod", isKnown ? .uint(UInt64(usersPerPod)) : .null),
      ("data_max", .optional(dataMax)), ("memory_max", .optional(memoryMax)),
      ("memory_high", .optional(memoryHigh)),
      ("cpu_quota", cpuQuotaPerSec.map { .double($0.seconds) } ?? .null),
      ("tasks_max", .optional(tasksMax)), ("workload", .optional(workload)),
      ("pods", .uint(UInt64(pods))), ("users", .uint(UInt64(users))), ("source", .optional(source)),
      ("mistake", .optional(mistakes.map(\.description).joined(separator: "\n"))),
    ])
  }

  /// The mistakes because of which this tier's pods cannot be launched with what its files say.
  public func mistakes(among all: [SettingsMistake]) -> [SettingsMistake] {
    all.filter { $0.subject == .tier(tier) || (isKnown && $0.subject == .workload(workload)) }
  }
}
