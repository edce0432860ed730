public import Time

/// How a pod's program is started, probed, reloaded and stopped (podctl-workload(5)).
public struct Workload: Sendable, Equatable {
  public enum Listen: String, Sendable, CaseIterable { case socket, port }
  public enum StartType: String, Sendable, CaseIterable { case notify, exec }
  public enum Probe: Sendable, Equatable {
    case tcp
    /// The path of a GET request; any status below 500 counts as alive.
    case http(path: String)
  }

  /// The default of DefaultTimeoutStartSec= and DefaultTimeoutStopSec= in systemd.
  public static let defaultTimeout: Microseconds = .seconds(90)
  public static let defaultTimeoutDrain: Microseconds = .seconds(30)

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

  /// As LogRateLimitIntervalSec= and LogRateLimitBurst= of systemd.exec(5).
  public struct LogRateLimit: Sendable, Equatable {
    public var interval: Microseconds = .seconds(30)
    /// journald alone would allow 10,000 to every unit, with which one pod turns the host's journal over in minutes.
    public var burst = 2000

    public init() {}
  }

  public var name: String
  /// The program and its arguments, with placeholders. Never empty after parsing.
  public var execStart: [String] = []
  public var listen: Listen = .socket
  public var type: StartType = .notify
  public var probe: Probe?
  public var probeInterval: Microseconds = .seconds(10)
  public var probeTimeout: Microseconds = .seconds(5)
  public var probeFailures: Int = 3
  /// Absolute path of a Mustache file, or nil for the JSON form.
  public var usersTemplate: String?
  public var execReload: [String] = []
  /// Signal number, or nil.
  public var reloadSignal: Int32?
  /// Signal number; SIGTERM by default.
  public var killSignal: Int32 = 15
  public var timeoutStart = Self.defaultTimeout
  public var timeoutStop = Self.defaultTimeout
  /// How long podd waits until a program with Listen=port has closed its connections.
  public var timeoutDrain = Self.defaultTimeoutDrain
  /// Whether two generations may serve the same data during a drain.
  public var overlap: Bool = false
  public var workers = Workers.fixed(1)
  /// `KEY=VALUE`, in order.
  public var environment: [String] = []
  /// Addresses, prefixes, or systemd's names (`any`, `localhost`, `link-local`, `multicast`).
  public var ipAddressAllow: [String] = []
  /// Whether the program sees journald's sockets (syslog(3), sd_journal_send(3)) besides its output's stream.
  public var bindLogSockets = false
  /// journald's rate limit of the pod's entries: at most `burst` of them in an interval.
  public var logRateLimit = LogRateLimit()
  /// Paths; a prefix `-`, as in systemd, means that a missing path is skipped.
  public var readWritePaths: [String] = []
  public var readOnlyPaths: [String] = []
  /// Canonical paths of requests that the front door passes on for nobody, each with everything below it.
  public var reservedPaths: [String] = []

  public init(name: String) {
    self.name = name
  }
}
