public import Systemd
public import Time

/// One pod in the reply of `ListPods` (PodRow of org.podctl1.xml). Sizes are bytes, nil is "no value".
public struct PodRow: Row, Equatable {
  public static let signature = "ssssussqutttttst"

  public var pod: String
  public var tier: String
  /// A `PodState`'s raw value; a newer podd may know more of them.
  public var state: String
  public var unit: String?
  public var mainPID: UInt32?
  public var address: String
  public var frontAddress: String
  public var port: UInt16
  public var users: UInt32 = 0
  public var generation: UInt64 = 0
  public var restarts: UInt64 = 0
  public var memoryCurrent: UInt64?
  public var memoryAnon: UInt64?
  public var memoryMax: UInt64?
  public var lastExitReason: String?
  /// When the pod entered its state.
  public var since: WallTime?

  public init(
    pod: String, tier: String, state: String, address: String, frontAddress: String, port: UInt16
  ) {
    self.pod = pod
    self.tier = tier
    self.state = state
    self.address = address
    self.frontAddress = frontAddress
    self.port = port
  }

  public init(reading message: borrowing Message) throws(BusError) {
    try message.enterStructure(Self.signature)
    pod = try message.readString()
    tier = try message.readString()
    state = try message.readString()
    unit = try message.readOptionalString()
    mainPID = try message.readUInt32().nonZero
    address = try message.readString()
    frontAddress = try message.readString()
    port = try message.readUInt16()
    users = try message.readUInt32()
    generation = try message.readUInt64()
    restarts = try message.readUInt64()
    memoryCurrent = try message.readSize()
    memoryAnon = try message.readSize()
    memoryMax = try message.readSize()
    lastExitReason = try message.readOptionalString()
    since = try message.readOptionalWallTime()
    try message.exitContainer()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.openContainer(.structure, Self.signature)
    try message.append(pod)
    try message.append(tier)
    try message.append(state)
    try message.append(unit ?? "")
    try message.append(mainPID ?? 0)
    try message.append(address)
    try message.append(frontAddress)
    try message.append(port)
    try message.append(users)
    try message.append(generation)
    try message.append(restarts)
    try message.append(memoryCurrent ?? PodBus.noSize)
    try message.append(memoryAnon ?? PodBus.noSize)
    try message.append(memoryMax ?? PodBus.noSize)
    try message.append(lastExitReason ?? "")
    try message.appendOptional(since)
    try message.closeContainer()
  }

  /// The object of `podctl pods --json`.
  public var json: JSON { .object(jsonMembers) }

  public var jsonMembers: [(key: String, value: JSON)] {
    [
      ("pod", .string(pod)), ("tier", .string(tier)), ("state", .string(state)),
      ("unit", .optional(unit)), ("main_pid", .optional(mainPID)),
      ("address", .optional(address)), ("front_address", .optional(frontAddress)),
      ("port", .optional(port.nonZero)), ("users", .uint(UInt64(users))),
      ("generation", .uint(generation)), ("restarts", .uint(restarts)),
      ("memory_current", .optional(memoryCurrent)), ("memory_anon", .optional(memoryAnon)),
      ("memory_max", .optional(memoryMax)), ("last_exit_reason", .optional(lastExitReason)),
      ("since", since.map { .string(Timestamp.rfc3339($0)) } ?? .null),
    ]
  }
}
