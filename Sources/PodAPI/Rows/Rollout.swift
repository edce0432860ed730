public import Systemd

/// What `Rollout` is asked for.
public struct RolloutRequest: Sendable, Equatable {
  public enum Mode: String, Sendable {
    /// Every pod of the tier.
    case restart
    /// Only the pods that were not replaced since the stopped rollout began.
    case resume
    /// The workload file as it was before, then as `resume`.
    case revert
  }

  public var tier: String
  /// How many pods at a time; nil for podd's default.
  public var maxParallel: UInt32?
  /// How long a new generation must be healthy, in microseconds; nil for podd's default.
  public var healthyUSec: UInt64?
  public var mode: Mode

  public init(tier: String, maxParallel: UInt32? = nil, healthyUSec: UInt64? = nil, mode: Mode = .restart) {
    self.tier = tier
    self.maxParallel = maxParallel
    self.healthyUSec = healthyUSec
    self.mode = mode
  }

  /// Appends the arguments to a call.
  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(tier)
    try message.append(maxParallel ?? 0)
    try message.append(healthyUSec ?? PodBus.noSize)
    try message.append(mode.rawValue)
  }
}

/// How far a rollout is: the signal `RolloutProgress`.
public struct RolloutProgress: Sendable, Equatable {
  public var tier: String
  /// Pods replaced so far, of `total` that are to be.
  public var done: UInt32
  public var total: UInt32
  /// The pod whose state changed, and to what.
  public var pod: String
  public var state: String

  public init(tier: String, done: UInt32, total: UInt32, pod: String, state: String) {
    self.tier = tier
    self.done = done
    self.total = total
    self.pod = pod
    self.state = state
  }

  /// Reads the signal's arguments.
  public init(reading message: borrowing Message) throws(BusError) {
    tier = try message.readString()
    done = try message.readUInt32()
    total = try message.readUInt32()
    pod = try message.readString()
    state = try message.readString()
  }

  /// Appends the signal's arguments.
  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(tier)
    try message.append(done)
    try message.append(total)
    try message.append(pod)
    try message.append(state)
  }
}

/// What a rollout came to: the answer of `Rollout`.
public struct RolloutResult: Sendable, Equatable {
  public var replaced: UInt32
  public var total: UInt32

  public init(replaced: UInt32, total: UInt32) {
    self.replaced = replaced
    self.total = total
  }

  /// Reads the arguments of a reply.
  public init(reading message: borrowing Message) throws(BusError) {
    replaced = try message.readUInt32()
    total = try message.readUInt32()
  }

  /// Appends the arguments to a reply.
  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(replaced)
    try message.append(total)
  }
}
