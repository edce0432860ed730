public import Systemd
public import Time

/// One user in the reply of `ListUsers` (UserRow of org.podctl1.xml).
public struct UserRow: Row, Equatable {
  public static let signature = "ssssts"

  public var user: String
  public var tier: String
  /// Nil for a deleted user, who is in no pod.
  public var pod: String?
  /// The pod's state.
  public var state: String?
  public var dataBytes: UInt64?
  /// `active`, `suspended` or `deleted`.
  public var status: String
  /// When the user last used the front door; nil: never, as far as podd knows. The row of `ListUsers` is without:
  /// `ListLastUse` has it (decision 0034).
  public var lastUsed: WallTime?

  public init(
    user: String, tier: String, pod: String?, state: String?, dataBytes: UInt64?, status: String
  ) {
    self.user = user
    self.tier = tier
    self.pod = pod
    self.state = state
    self.dataBytes = dataBytes
    self.status = status
  }

  public init(reading message: borrowing Message) throws(BusError) {
    try message.enterStructure(Self.signature)
    user = try message.readString()
    tier = try message.readString()
    pod = try message.readOptionalString()
    state = try message.readOptionalString()
    dataBytes = try message.readSize()
    status = try message.readString()
    try message.exitContainer()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.openContainer(.structure, Self.signature)
    try message.append(user)
    try message.append(tier)
    try message.append(pod ?? "")
    try message.append(state ?? "")
    try message.append(dataBytes ?? PodBus.noSize)
    try message.append(status)
    try message.closeContainer()
  }

  /// The object of `podctl users --json`.
  public var json: JSON { .object(jsonMembers) }

  public var jsonMembers: [(key: String, value: JSON)] {
    [
      ("user", .string(user)), ("tier", .string(tier)), ("pod", .optional(pod)),
      ("state", .optional(state)), ("data_bytes", .optional(dataBytes)), ("status", .string(status)),
      ("last_used", .optional(lastUsed.map { Timestamp.rfc3339($0) })),
    ]
  }
}
