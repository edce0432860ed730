public import PodModel
public import Systemd
public import Time

/// What one pod uses, in the reply of `ListUsage` (UsageRow of org.podctl1.xml). Sizes are bytes, nil is "no value"
/// or "no limit".
public struct UsageRow: Row, Equatable {
  public static let signature = "sssttttuttutt"
  /// Stands for "no value" in `pressure_some_avg10`.
  static let noPressure = UInt32.max

  public var pod: String
  public var tier: String
  /// A `PodState`'s raw value; a newer podd may know more of them.
  public var state: String
  public var memoryCurrent: UInt64?
  public var memoryAnon: UInt64?
  public var memoryMax: UInt64?
  public var memoryHigh: UInt64?
  /// The share of the last ten seconds in which at least one of its processes waited for memory, in hundredths of a
  /// percent.
  public var pressure: UInt32?
  /// CPU time of the current generation.
  public var cpuUsage: Microseconds?
  public var restarts: UInt64 = 0
  public var users: UInt32 = 0
  public var generation: UInt64 = 0
  /// When memory, pressure and CPU were read, by the clock of podd's host.
  public var readAt: LoopTime?

  public init(pod: String, tier: String, state: String) {
    self.pod = pod
    self.tier = tier
    self.state = state
  }

  public init(reading message: borrowing Message) throws(BusError) {
    try message.enterStructure(Self.signature)
    pod = try message.readString()
    tier = try message.readString()
    state = try message.readString()
    memoryCurrent = try message.readSize()
    memoryAnon = try message.readSize()
    memoryMax = try message.readSize()
    memoryHigh = try message.readSize()
    let pressure = try message.readUInt32()
    self.pressure = pressure == Self.noPressure ? nil : pressure
    cpuUsage = try message.readOptionalSpan()
    restarts = try message.readUInt64()
    users = try message.readUInt32()
    generation = try message.readUInt64()
    readAt = try message.readOptionalLoopTime()
    try message.exitContainer()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.openContainer(.structure, Self.signature)
    try message.append(pod)
    try message.append(tier)
    try message.append(state)
    try message.append(memoryCurrent ?? PodBus.noSize)
    try message.append(memoryAnon ?? PodBus.noSize)
    try message.append(memoryMax ?? PodBus.noSize)
    try message.append(memoryHigh ?? PodBus.noSize)
    try message.append(pressure ?? Self.noPressure)
    try message.appendOptional(cpuUsage)
    try message.append(restarts)
    try message.append(users)
    try message.append(generation)
    try message.appendOptional(readAt)
    try message.closeContainer()
  }

  /// The object of `podctl top --json`.
  /// - Parameter requests: The pod's requests; nil where no front door has reported.
  public func json(_ requests: RequestCounts?) -> JSON {
    .object([
      ("pod", .string(pod)), ("tier", .string(tier)), ("state", .string(state)),
      ("memory_current", .optional(memoryCurrent)), ("memory_anon", .optional(memoryAnon)),
      ("memory_max", .optional(memoryMax)), ("memory_high", .optional(memoryHigh)),
      ("pressure_some_avg10", pressure.map { .double(Double($0) / 100) } ?? .null),
      ("cpu_seconds", cpuUsage.map { .double($0.seconds) } ?? .null),
      ("restarts", .uint(restarts)), ("users", .uint(UInt64(users))), ("generation", .uint(generation)),
      ("requests", .optional(requests?.total)), ("request_seconds", requests.map { $0.json } ?? .null),
    ])
  }
}
