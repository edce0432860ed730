public import Systemd
public import Time

/// The signals of org.podctl1.Manager. PodAPITests compares them with org.podctl1.xml.
public enum Signal: String, CaseIterable, Sendable {
  /// A pod's state changed.
  case podStateChanged = "PodStateChanged"
  /// A rollout made progress.
  case rolloutProgress = "RolloutProgress"
  /// Front doors are to hold a pod's new requests.
  case holdPod = "HoldPod"
  /// Front doors are to forward the requests that they hold.
  case releasePod = "ReleasePod"
  /// A user's status, pod, token or tier changed.
  case userChanged = "UserChanged"
  /// A reload changed tiers or workloads.
  case settingsChanged = "SettingsChanged"

  /// The name on the bus.
  public var name: String { rawValue }

  /// The D-Bus signature of the arguments.
  public var signature: String {
    switch self {
    case .podStateChanged: StateChange.signature
    case .rolloutProgress: RolloutProgress.signature
    case .holdPod: HoldRequest.signature
    case .releasePod: HoldRelease.signature
    case .userChanged: UserChange.signature
    case .settingsChanged: Nothing.signature
    }
  }
}

/// The arguments of `PodStateChanged`.
public struct StateChange: MessageBody, Equatable {
  public static let signature = "ssts"

  public var pod: String
  public var state: String
  public var generation: UInt64
  /// Why the last generation ended; nil if none has.
  public var reason: String?

  public init(pod: String, state: String, generation: UInt64, reason: String?) {
    self.pod = pod
    self.state = state
    self.generation = generation
    self.reason = reason
  }

  public init(reading message: borrowing Message) throws(BusError) {
    pod = try message.readString()
    state = try message.readString()
    generation = try message.readUInt64()
    reason = try message.readOptionalString()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(pod)
    try message.append(state)
    try message.append(generation)
    try message.append(reason ?? "")
  }
}

/// The arguments of `HoldPod`.
public struct HoldRequest: MessageBody, Equatable {
  public static let signature = "stt"

  public var pod: String
  /// The number that AcknowledgeHold and ReleasePod name.
  public var hold: UInt64
  /// When a front door gives up holding.
  public var timeout: Microseconds

  public init(pod: String, hold: UInt64, timeout: Microseconds) {
    self.pod = pod
    self.hold = hold
    self.timeout = timeout
  }

  public init(reading message: borrowing Message) throws(BusError) {
    pod = try message.readString()
    hold = try message.readUInt64()
    timeout = try message.readMicroseconds()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(pod)
    try message.append(hold)
    try message.append(timeout)
  }
}

/// The arguments of `ReleasePod`.
public struct HoldRelease: MessageBody, Equatable {
  public static let signature = "st"

  public var pod: String
  public var hold: UInt64

  public init(pod: String, hold: UInt64) {
    self.pod = pod
    self.hold = hold
  }

  public init(reading message: borrowing Message) throws(BusError) {
    pod = try message.readString()
    hold = try message.readUInt64()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(pod)
    try message.append(hold)
  }
}
