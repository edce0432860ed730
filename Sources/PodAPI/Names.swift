/// Where podd is on the system bus (org.podctl1(5)).
public enum PodBus {
  public static let name = "org.podctl1"
  public static let path = "/org/podctl1"
  public static let interface = "org.podctl1.Manager"

  /// Stands for "no value" or "no limit" in a size (org.podctl1.xml).
  public static let noSize = UInt64.max
}

/// podd's own D-Bus errors (org.podctl1(5)).
public enum APIError: String, Error, Sendable, CaseIterable {
  case invalidUser = "org.podctl1.Error.InvalidUser"
  case noSuchUser = "org.podctl1.Error.NoSuchUser"
  case userSuspended = "org.podctl1.Error.UserSuspended"
  case noSuchPod = "org.podctl1.Error.NoSuchPod"
  case otherTier = "org.podctl1.Error.OtherTier"
  case invalidPeer = "org.podctl1.Error.InvalidPeer"
  case noSuchTier = "org.podctl1.Error.NoSuchTier"
  case invalidSettings = "org.podctl1.Error.InvalidSettings"
  case portRangeExhausted = "org.podctl1.Error.PortRangeExhausted"
  case addressesExhausted = "org.podctl1.Error.AddressesExhausted"
  case launchFailed = "org.podctl1.Error.LaunchFailed"
  case storageFull = "org.podctl1.Error.StorageFull"
  case storageFailed = "org.podctl1.Error.StorageFailed"
  case busy = "org.podctl1.Error.Busy"
  /// A replaced pod did not become ready; the tier's remaining pods were not touched.
  case rolloutStopped = "org.podctl1.Error.RolloutStopped"

  /// The error's name on the bus.
  public var name: String { rawValue }

  public var exitStatus: SysExit {
    switch self {
    case .invalidUser, .invalidPeer, .noSuchTier: .usage
    case .busy: .temporary
    case .noSuchUser, .userSuspended, .noSuchPod, .otherTier, .invalidSettings, .portRangeExhausted,
      .addressesExhausted,
      .launchFailed, .storageFull, .storageFailed, .rolloutStopped:
      .failed
    }
  }
}

/// podctl's exit statuses (podctl(1)); the numbers are those of sysexits.h.
public enum SysExit: Int32, Sendable {
  case done = 0
  case failed = 1
  case usage = 64
  case unreachable = 69
  case temporary = 75
  case denied = 77

  /// The status for any D-Bus error name.
  public init(errorName name: String) {
    if let error = APIError(rawValue: name) {
      self = error.exitStatus
      return
    }
    let own = "org.freedesktop.DBus.Error."
    guard name.hasPrefix(own) else {
      // The bus forwards systemd's error when systemd could not start podd. libsystemd names an errno of the
      // connection itself System.Error.
      let unreachable = name.hasPrefix("org.freedesktop.systemd1.") || name.hasPrefix("System.Error.")
      self = unreachable ? .unreachable : .failed
      return
    }
    switch name.dropFirst(own.count) {
    case "LimitsExceeded": self = .temporary
    case "AccessDenied", "InteractiveAuthorizationRequired", "AuthFailed": self = .denied
    case "ServiceUnknown", "NameHasNoOwner", "NoReply", "Disconnected", "NoServer", "Timeout", "TimedOut":
      self = .unreachable
    case let rest: self = rest.hasPrefix("Spawn.") ? .unreachable : .failed
    }
  }
}
