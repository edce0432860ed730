/// How a pod's program is started, probed, reloaded and stopped (contract, "Workload files").
/// Durations are microseconds, as in systemd's D-Bus properties.
public struct Workload: Sendable, Equatable {
  public enum Listen: String, Sendable, CaseIterable { case socket, port }
  public enum StartType: String, Sendable, CaseIterable { case notify, exec }
  public enum Probe: Sendable, Equatable {
    case tcp
    /// The path of a GET request; any status below 500 counts as alive.
    case http(path: String)
  }

  /// As systemd's DefaultTimeoutStartSec= and DefaultTimeoutStopSec=.
  public static let defaultTimeoutUSec: UInt64 = 90_000_000
  public static let defaultDrainUSec: UInt64 = 30_000_000

  /// How many processes of a program share the pod's listening socket.
  public enum Workers: Sendable, Equatable {
    case fixed(Int)
    /// As many as the tier has CPUs.
    case auto

    public func count(cpus: Int) -> Int {
      switch self {
      case .fixed(let count): max(1, count)
      case .auto: max(1, cpus)
      }
    }
  }

  public var name: String
  /// Program and arguments as written, placeholders not yet replaced. Never empty once parsed.
  public var execStart: [String] = []
  public var listen: Listen = .socket
  public var type: StartType = .notify
  public var probe: Probe?
  public var probeUSec: UInt64 = 10_000_000
  public var probeTimeoutUSec: UInt64 = 5_000_000
  public var probeFailures: Int = 3
  /// Absolute path of a Mustache file, or nil for the JSON form.
  public var usersTemplate: String?
  public var execReload: [String] = []
  /// Signal number, or nil.
  public var reloadSignal: Int32?
  /// Signal number; SIGTERM unless told otherwise.
  public var killSignal: Int32 = 15
  public var timeoutStartUSec = Self.defaultTimeoutUSec
  public var timeoutStopUSec = Self.defaultTimeoutUSec
  /// How long a program that binds by itself is waited for until its connections are gone.
  public var timeoutDrainUSec = Self.defaultDrainUSec
  /// May two generations serve the same data for the length of a drain?
  public var overlap: Bool = false
  public var workers = Workers.fixed(1)
  /// `KEY=VALUE`, in order.
  public var environment: [String] = []
  /// Addresses or prefixes, or systemd's words (`any`, `localhost`, `link-local`, `multicast`).
  public var ipAddressAllow: [String] = []
  /// Paths with systemd's optional `-` prefix: absent ones are skipped.
  public var readWritePaths: [String] = []
  public var readOnlyPaths: [String] = []

  public init(name: String) {
    self.name = name
  }
}
