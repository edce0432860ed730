public import Systemd

/// The arguments of `Provision`.
public struct ProvisionCall: CallBody, Equatable {
  public static let signature = "ssb"

  /// As the caller wrote it: podd checks it after polkit, so that the audit log has also what is refused.
  public var user: String
  /// Nil for podd's default tier.
  public var tier: String?
  /// Whether the user is only placed, and the pod not launched.
  public var cold: Bool

  public var subject: String { user }

  public init(user: String, tier: String?, cold: Bool) {
    self.user = user
    self.tier = tier
    self.cold = cold
  }

  public init(reading message: borrowing Message) throws(BusError) {
    user = try message.readString()
    tier = try message.readOptionalString()
    cold = try message.readBool()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(user)
    try message.append(tier ?? "")
    try message.append(cold)
  }
}

/// The arguments of `Deprovision`.
public struct DeprovisionCall: CallBody, Equatable {
  public static let signature = "sb"

  /// As the caller wrote it.
  public var user: String
  /// Whether the user's data is deleted, and not kept.
  public var purge: Bool

  public var subject: String { user }

  public init(user: String, purge: Bool) {
    self.user = user
    self.purge = purge
  }

  public init(reading message: borrowing Message) throws(BusError) {
    user = try message.readString()
    purge = try message.readBool()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(user)
    try message.append(purge)
  }
}

/// The argument of the methods that are about one user.
public struct UserCall: CallBody, Equatable {
  public static let signature = "s"

  /// As the caller wrote it.
  public var user: String

  public var subject: String { user }

  public init(user: String) {
    self.user = user
  }

  public init(reading message: borrowing Message) throws(BusError) {
    user = try message.readString()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(user)
  }
}

/// The reply of `SuspendUser` and `ResumeUser`.
public struct StatusReply: MessageBody, Equatable {
  public static let signature = "s"

  /// The user's status when the method returned.
  public var status: String

  public init(status: String) {
    self.status = status
  }

  public init(reading message: borrowing Message) throws(BusError) {
    status = try message.readString()
  }

  public func append(to message: borrowing Message) throws(BusError) {
    try message.append(status)
  }
}
