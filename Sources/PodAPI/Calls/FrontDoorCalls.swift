public import Systemd
public import Time

/// The reply of `ResolveUser`: everything that a front door has to know of a user who is placed.
public struct ResolvedUser: MessageBody, Equatable {
  public static let signature = "ssssssqssttutuuas"

  public var user: String
  /// `active` or `suspended`.
  public var status: String
  public var pod: String
  /// The pod's state.
  public var state: String
  public var address: String
  public var frontAddress: String
  public var port: UInt16
  /// The pod's own secret for this user; nil for a suspended user, whom no program serves.
  public var token: String?
  public var tier: String
  /// Nil until the user's data has been counted.
  public var dataBytes: UInt64?
  public var dataMax: UInt64?
  /// How many requests the tier allows in `requestInterval`; 0 for any number.
  public var requestCount: UInt32 = 0
  public var requestInterval: Microseconds = .zero
  /// How many requests may come at once.
  public var requestBurst: UInt32 = 0
  /// How many connections the user may have at the same time; 0 for any number.
  public var connectionsMax: UInt32 = 0
  /// Canonical paths that nobody reaches from outside, each with everything below it.
  public var reservedPaths: [String] = []

  public init(
    user: String, status: String, pod: String, state: String, address: String, frontAddress: String,
    port: UInt16,
    token: String?, tier: String, dataBytes: UInt64?, dataMax: UInt64?
  ) {
    self.user = user
    self.status = status
    self.pod = pod
    self.state = state
    self.address = address
    self.frontAddress = frontAddress
    self.port = port
    self.token = token
    self.tier = tier
    self.dataBytes = dataBytes
    self.dataMax = dataMax
  }

  public init(reading message: borrowing Message) throws(BusError) {
    user = try message.readString()
    status = try message.readString()
    pod = try message.readString()
    state = try message.readString()
    address = try message.readString()
    frontAddress = try message.readString()
    port = try message.readUInt16()
    token = try message.readOptionalString()
    tier = try message.readString()
    dataBytes = try message.readSize()
    dataMax = try message.readSize()
    requestCount = try message.readUInt32()
    requestInterval = try message.readMicroseconds()
    requestBurst = try message.readUInt32()
    connectionsMax = try message.readUInt32()
    reservedPaths = try message.readStrings()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(user)
    try message.append(status)
    try message.append(pod)
    try message.append(state)
    try message.append(address)
    try message.append(frontAddress)
    try message.append(port)
    try message.append(token ?? "")
    try message.append(tier)
    try message.append(dataBytes ?? PodBus.noSize)
    try message.append(dataMax ?? PodBus.noSize)
    try message.append(requestCount)
    try message.append(requestInterval)
    try message.append(requestBurst)
    try message.append(connectionsMax)
    try message.append(reservedPaths)
  }
}

/// The arguments of `CloseClientConnections` and `FindClientConnections`, and the reply of the latter: those of its peers
/// that have a connection, as they were written in the call.
public struct ClientPeers: CallBody, Equatable {
  public static let signature = "as"
  /// More are an error: a front door has further calls.
  public static let mostPeers = 256

  /// The other ends of nginx's connections, each `ADDRESS:PORT`, an IPv6 address in brackets.
  public var peers: [String]

  public var subject: String { "" }

  public init(peers: [String]) {
    self.peers = peers
  }

  public init(reading message: borrowing Message) throws(BusError) {
    peers = try message.readStrings(atMost: Self.mostPeers)
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(peers)
  }
}

/// The arguments of `ReportUse`.
public struct UseReport: CallBody, Equatable {
  public static let signature = "a(st)a(st)"
  /// More users, or more pods, are an error: a front door has further calls.
  public static let mostRows = 256

  public var users: [LastUseRow]
  public var pods: [RequestsRow]

  public var subject: String { "" }

  public init(users: [LastUseRow], pods: [RequestsRow]) {
    self.users = users
    self.pods = pods
  }

  public init(reading message: borrowing Message) throws(BusError) {
    users = try [LastUseRow](reading: message, atMost: Self.mostRows)
    pods = try [RequestsRow](reading: message, atMost: Self.mostRows)
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try users.append(to: message)
    try pods.append(to: message)
  }
}

/// The arguments of `UserChanged`.
public struct UserChange: MessageBody, Equatable {
  public static let signature = "sss"

  public var user: String
  /// `active`, `suspended` or `deleted`.
  public var status: String
  /// Nil for a deleted user.
  public var pod: String?

  public init(user: String, status: String, pod: String?) {
    self.user = user
    self.status = status
    self.pod = pod
  }

  public init(reading message: borrowing Message) throws(BusError) {
    user = try message.readString()
    status = try message.readString()
    pod = try message.readOptionalString()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(user)
    try message.append(status)
    try message.append(pod ?? "")
  }
}
