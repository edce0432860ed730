public import Systemd
public import Time

/// When a user last used the front door (LastUseRow of org.podctl1.xml).
public struct LastUseRow: Row, Equatable {
  public static let signature = "st"

  public var user: String
  public var at: WallTime

  public init(user: String, at: WallTime) {
    self.user = user
    self.at = at
  }

  public init(reading message: borrowing Message) throws(BusError) {
    try message.enterStructure(Self.signature)
    user = try message.readString()
    at = try message.readWallTime()
    try message.exitContainer()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.openContainer(.structure, Self.signature)
    try message.append(user)
    try message.append(at)
    try message.closeContainer()
  }
}

/// How many requests a pod has had since the last report (RequestsRow of org.podctl1.xml).
public struct RequestsRow: Row, Equatable {
  public static let signature = "st"

  public var pod: String
  public var requests: UInt64

  public init(pod: String, requests: UInt64) {
    self.pod = pod
    self.requests = requests
  }

  public init(reading message: borrowing Message) throws(BusError) {
    try message.enterStructure(Self.signature)
    pod = try message.readString()
    requests = try message.readUInt64()
    try message.exitContainer()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.openContainer(.structure, Self.signature)
    try message.append(pod)
    try message.append(requests)
    try message.closeContainer()
  }
}
