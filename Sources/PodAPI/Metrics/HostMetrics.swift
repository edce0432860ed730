public import OpenMetrics
public import Systemd
public import Time

/// The reply of `GetMetrics`.
public struct MetricsReply: MessageBody, Equatable {
  public static let signature = HostMetrics.signature + Array<UsageRow>.signature

  public var host: HostMetrics
  /// As `ListUsage` has them.
  public var pods: [UsageRow]

  public init(_ host: HostMetrics, _ pods: [UsageRow]) {
    self.host = host
    self.pods = pods
  }

  public init(reading message: borrowing Message) throws(BusError) {
    host = try HostMetrics(reading: message)
    pods = try [UsageRow](reading: message)
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try host.append(to: message)
    try pods.append(to: message)
  }
}

/// What podd counts, and knows beyond its pods' usage. Counts begin with podd.
public struct HostMetrics: MessageBody, Equatable {
  public static let signature = Properties.signature

  /// One tier: its users, what they store, and what happened to its pods.
  public struct Tier: Sendable, Equatable {
    public var name: String
    /// 0 if its file has a mistake.
    public var usersPerPod: UInt64 = 0
    /// By status: `active`, `suspended`, `deleted`.
    public var users: [String: UInt64] = [:]
    public var data: Data?
    /// Ends of generations by the kind of their reason.
    public var ends: [String: UInt64] = [:]
    /// From the decision to launch a generation until it was ready.
    public var launches: MetricHistogram

    public init(name: String, launches: MetricHistogram) {
      self.name = name
      self.launches = launches
    }
  }

  /// What the users of a tier store, by the last complete count.
  public struct Data: Sendable, Equatable {
    public var bytes: UInt64
    /// Users who have at least four fifths of what they may have.
    public var nearlyFull: UInt64

    public init(bytes: UInt64 = 0, nearlyFull: UInt64 = 0) {
      self.bytes = bytes
      self.nearlyFull = nearlyFull
    }
  }

  public var version: String
  public var startedAt: WallTime
  /// podd's own resident memory.
  public var memory: UInt64?
  public var cpu: Microseconds?
  public var tiers: [Tier] = []
  /// From a connection to a sleeping pod until the pod was ready, by the state in which the pod slept.
  public var wakes: [String: MetricHistogram] = [:]
  /// Pods that leak memory now.
  public var leaking: [String] = []
  /// Pods that cannot be launched because of the host.
  public var waitingForHost: UInt64 = 0
  public var settingsMistakes: UInt64 = 0
  /// The file system of /var/lib/podctl.
  public var diskSize: UInt64?
  public var diskAvailable: UInt64?

  public init(version: String, startedAt: WallTime) {
    self.version = version
    self.startedAt = startedAt
  }

  // MARK: On the bus

  public init(reading message: borrowing Message) throws(BusError) {
    let properties = try Properties(reading: message)
    version = properties.string("Version") ?? ""
    startedAt = properties.time("StartTimestamp") ?? .epoch
    memory = properties.uint("MemoryResident")
    cpu = properties.uint("CPUUsageNSec").map { Microseconds($0 / 1000) }
    tiers = properties.dictionaries("Tiers").compactMap { Tier($0) }
    for wake in properties.dictionaries("Wakes") {
      guard let state = wake.string("State"), let histogram = MetricHistogram(wake) else { continue }
      wakes[state] = histogram
    }
    leaking = properties.strings("Leaking")
    waitingForHost = properties.uint("WaitingForHost") ?? 0
    settingsMistakes = properties.uint("SettingsMistakes") ?? 0
    diskSize = properties.uint("DiskSize")
    diskAvailable = properties.uint("DiskAvailable")
  }

  public func append(to message: borrowing Message) throws(BusError) {
    let wakes = wakes.sorted { $0.key < $1.key }.map { state, histogram in
      Variant.dictionary([("State", .string(state))] + histogram.properties)
    }
    try Properties([
      ("Version", .string(version)), ("StartTimestamp", .time(startedAt)),
      ("MemoryResident", .uint(memory ?? PodBus.noSize)),
      ("CPUUsageNSec", .uint(cpu.map { $0.count * 1000 } ?? PodBus.noSize)),
      ("Tiers", .array(tiers.map { .dictionary($0.properties) })), ("Wakes", .array(wakes)),
      ("Leaking", .array(leaking.map { .string($0) })), ("WaitingForHost", .uint(waitingForHost)),
      ("SettingsMistakes", .uint(settingsMistakes)), ("DiskSize", .uint(diskSize ?? PodBus.noSize)),
      ("DiskAvailable", .uint(diskAvailable ?? PodBus.noSize)),
    ]).append(to: message)
  }
}

extension HostMetrics.Tier {
  fileprivate init?(_ properties: Properties) {
    guard let name = properties.string("Tier"),
      let launches = properties.dictionary("Launches").flatMap({ MetricHistogram($0) })
    else { return nil }
    self.init(name: name, launches: launches)
    usersPerPod = properties.uint("UsersPerPod") ?? 0
    users = properties.dictionary("Users")?.counts ?? [:]
    ends = properties.dictionary("Ends")?.counts ?? [:]
    if let bytes = properties.uint("DataBytes") {
      data = HostMetrics.Data(bytes: bytes, nearlyFull: properties.uint("DataNearlyFull") ?? 0)
    }
  }

  fileprivate var properties: [(key: String, value: Variant)] {
    [
      ("Tier", .string(name)), ("UsersPerPod", .uint(usersPerPod)), ("Users", .counts(users)),
      ("DataBytes", .uint(data?.bytes ?? PodBus.noSize)),
      ("DataNearlyFull", .uint(data?.nearlyFull ?? PodBus.noSize)), ("Ends", .counts(ends)),
      ("Launches", .dictionary(launches.properties)),
    ]
  }
}

extension MetricHistogram {
  fileprivate init?(_ properties: Properties) {
    guard let sum = properties.double("Sum") else { return nil }
    self.init(bounds: properties.doubles("Bounds"), counts: properties.uints("Counts"), sum: sum)
  }

  fileprivate var properties: [(key: String, value: Variant)] {
    [
      ("Bounds", .array(bounds.map { .double($0) })), ("Counts", .array(counts.map { .uint($0) })),
      ("Sum", .double(sum)),
    ]
  }
}

extension Variant {
  fileprivate static func counts(_ counts: [String: UInt64]) -> Variant {
    .dictionary(counts.sorted { $0.key < $1.key }.map { ($0.key, .uint($0.value)) })
  }
}

extension Properties {
  fileprivate func dictionary(_ key: String) -> Properties? {
    if case .dictionary(let entries) = self[key] { Properties(entries) } else { nil }
  }

  fileprivate func doubles(_ key: String) -> [Double] {
    guard case .array(let items) = self[key] else { return [] }
    return items.compactMap { if case .double(let number) = $0 { number } else { nil } }
  }

  fileprivate func uints(_ key: String) -> [UInt64] {
    guard case .array(let items) = self[key] else { return [] }
    return items.compactMap { if case .uint(let number) = $0 { number } else { nil } }
  }

  fileprivate var counts: [String: UInt64] {
    var counts: [String: UInt64] = [:]
    for (key, value) in entries { if case .uint(let number) = value { counts[key] = number } }
    return counts
  }
}
