public import Systemd

/// The reply of `Provision`.
public struct Placement: MessageBody, Equatable {
  public static let signature = "ssssssqsb"

  public var user: String
  public var tier: String
  public var pod: String
  /// Nil while the pod is cold.
  public var unit: String?
  public var address: String
  public var frontAddress: String
  public var port: UInt16
  public var state: String
  /// Whether this call placed the user.
  public var created: Bool

  public init(
    user: String, tier: String, pod: String, unit: String?, address: String, frontAddress: String,
    port: UInt16, state: String, created: Bool
  ) {
    self.user = user
    self.tier = tier
    self.pod = pod
    self.unit = unit
    self.address = address
    self.frontAddress = frontAddress
    self.port = port
    self.state = state
    self.created = created
  }

  public init(reading message: borrowing Message) throws(BusError) {
    user = try message.readString()
    tier = try message.readString()
    pod = try message.readString()
    unit = try message.readOptionalString()
    address = try message.readString()
    frontAddress = try message.readString()
    port = try message.readUInt16()
    state = try message.readString()
    created = try message.readBool()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(user)
    try message.append(tier)
    try message.append(pod)
    try message.append(unit ?? "")
    try message.append(address)
    try message.append(frontAddress)
    try message.append(port)
    try message.append(state)
    try message.append(created)
  }

  /// The object of `podctl provision --json`.
  public var json: JSON { .object(jsonMembers) }

  public var jsonMembers: [(key: String, value: JSON)] {
    [
      ("user", .string(user)), ("tier", .string(tier)), ("pod", .string(pod)), ("unit", .optional(unit)),
      ("address", .string(address)), ("front_address", .string(frontAddress)),
      ("port", .uint(UInt64(port))), ("state", .string(state)), ("created", .bool(created)),
    ]
  }
}
