public import PodModel
public import Systemd
public import Time

/// A rollout as podctl asks for it.
public struct RolloutRequest: Sendable, Equatable {
  public var tier: String
  /// How many pods at a time; nil for podd's default.
  public var maxParallel: UInt32?
  /// How long a new generation must be healthy; nil for podd's default.
  public var healthy: Microseconds?
  public var mode: Rollout.Mode

  public init(
    tier: String, maxParallel: UInt32? = nil, healthy: Microseconds? = nil, mode: Rollout.Mode = .restart
  ) {
    self.tier = tier
    self.maxParallel = maxParallel
    self.healthy = healthy
    self.mode = mode
  }
}

/// The arguments of `Rollout`.
public struct RolloutCall: CallBody, Equatable {
  public static let signature = "suts"

  public var tier: String
  /// 0 for podd's default.
  public var maxParallel: UInt32
  /// Infinite for podd's default.
  public var healthy: Microseconds
  public var mode: String

  public var subject: String { tier }

  public init(_ request: RolloutRequest) {
    tier = request.tier
    maxParallel = request.maxParallel ?? 0
    healthy = request.healthy ?? .infinity
    mode = request.mode.rawValue
  }

  /// Nil if there is no such mode.
  public var request: RolloutRequest? {
    guard let mode = Rollout.Mode(rawValue: mode) else { return nil }
    return RolloutRequest(
      tier: tier, maxParallel: maxParallel.nonZero,
      healthy: healthy == .infinity ? nil : healthy, mode: mode)
  }

  public init(reading message: borrowing Message) throws(BusError) {
    tier = try message.readString()
    maxParallel = try message.readUInt32()
    healthy = try message.readMicroseconds()
    mode = try message.readString()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(tier)
    try message.append(maxParallel)
    try message.append(healthy)
    try message.append(mode)
  }
}

/// The arguments of `RolloutProgress`.
public struct RolloutProgress: MessageBody, Equatable {
  public static let signature = "suuss"

  public var tier: String
  /// How many pods have been replaced, of `total`.
  public var done: UInt32
  public var total: UInt32
  /// The pod whose state changed, and its new state.
  public var pod: String
  public var state: String

  public init(tier: String, done: UInt32, total: UInt32, pod: String, state: String) {
    self.tier = tier
    self.done = done
    self.total = total
    self.pod = pod
    self.state = state
  }

  public init(reading message: borrowing Message) throws(BusError) {
    tier = try message.readString()
    done = try message.readUInt32()
    total = try message.readUInt32()
    pod = try message.readString()
    state = try message.readString()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(tier)
    try message.append(done)
    try message.append(total)
    try message.append(pod)
    try message.append(state)
  }
}

/// The reply of `Rollout`.
public struct RolloutResult: MessageBody, Equatable {
  public static let signature = "uu"

  public var replaced: UInt32
  public var total: UInt32

  public init(replaced: UInt32, total: UInt32) {
    self.replaced = replaced
    self.total = total
  }

  public init(reading message: borrowing Message) throws(BusError) {
    replaced = try message.readUInt32()
    total = try message.readUInt32()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(replaced)
    try message.append(total)
  }
}
