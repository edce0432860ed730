public import Systemd

/// The argument of the methods that are about one pod.
public struct PodCall: CallBody, Equatable {
  public static let signature = "s"

  public var pod: String

  public var subject: String { pod }

  public init(pod: String) {
    self.pod = pod
  }

  public init(reading message: borrowing Message) throws(BusError) {
    pod = try message.readString()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(pod)
  }
}

/// The reply of the methods that change one pod.
public struct StateReply: MessageBody, Equatable {
  public static let signature = "s"

  /// The pod's state when the method returned.
  public var state: String

  public init(state: String) {
    self.state = state
  }

  public init(reading message: borrowing Message) throws(BusError) {
    state = try message.readString()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(state)
  }
}

/// The arguments of `RecyclePod` and `EvictPod`.
public struct PlanCall: CallBody, Equatable {
  public static let signature = "sb"

  public var pod: String
  /// Whether podd only replies what it would do.
  public var dryRun: Bool

  public var subject: String { pod }

  public init(pod: String, dryRun: Bool) {
    self.pod = pod
    self.dryRun = dryRun
  }

  public init(reading message: borrowing Message) throws(BusError) {
    pod = try message.readString()
    dryRun = try message.readBool()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(pod)
    try message.append(dryRun)
  }
}

/// The reply of `RecyclePod` and `EvictPod`.
public struct PlanReply: MessageBody, Equatable {
  public static let signature = "ss"

  /// The pod's state when the method returned.
  public var state: String
  /// One sentence on what was done, or would be.
  public var plan: String

  public init(state: String, plan: String) {
    self.state = state
    self.plan = plan
  }

  public init(reading message: borrowing Message) throws(BusError) {
    state = try message.readString()
    plan = try message.readString()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(state)
    try message.append(plan)
  }
}
