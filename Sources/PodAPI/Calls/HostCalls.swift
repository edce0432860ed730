public import Systemd
public import Time

/// The arguments of `GetHistory`: the minutes of a pod that began from `since` to `until`, at most `limit` of them.
public struct HistoryCall: CallBody, Equatable {
  public static let signature = "sttu"

  public var pod: String
  public var since: WallTime
  public var until: WallTime
  /// 0 for as many as podd returns at most.
  public var limit: UInt32

  public var subject: String { pod }

  public init(pod: String, since: WallTime, until: WallTime, limit: UInt32) {
    self.pod = pod
    self.since = since
    self.until = until
    self.limit = limit
  }

  public init(reading message: borrowing Message) throws(BusError) {
    pod = try message.readString()
    since = try message.readWallTime()
    until = try message.readWallTime()
    limit = try message.readUInt32()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(pod)
    try message.append(since)
    try message.append(until)
    try message.append(limit)
  }
}

/// The argument of `AcknowledgeHold`.
public struct HoldCall: CallBody, Equatable {
  public static let signature = "t"

  /// The number that `HoldPod` announced.
  public var hold: UInt64

  public var subject: String { "" }

  public init(hold: UInt64) {
    self.hold = hold
  }

  public init(reading message: borrowing Message) throws(BusError) {
    hold = try message.readUInt64()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(hold)
  }
}

/// The arguments of `RecordRequest`.
public struct RequestRecord: CallBody, Equatable {
  public static let signature = "ss"

  /// Who made the request, as far as the caller knows: an address with a port, or a user of the host.
  public var source: String
  /// What was requested, in one line.
  public var request: String

  public var subject: String { "\(source): \(request)" }

  public init(source: String, request: String) {
    self.source = source
    self.request = request
  }

  public init(reading message: borrowing Message) throws(BusError) {
    source = try message.readString()
    request = try message.readString()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(source)
    try message.append(request)
  }
}

/// The reply of `CheckInvariants`: one sentence for each invariant that does not hold.
public struct Violations: MessageBody, Equatable {
  public static let signature = "as"

  public var sentences: [String]

  public init(_ sentences: [String]) {
    self.sentences = sentences
  }

  public init(reading message: borrowing Message) throws(BusError) {
    sentences = try message.readStrings()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(sentences)
  }
}
