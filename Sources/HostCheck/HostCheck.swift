/// Looks at a host and says what it lacks for pods. Reads files only: no process is started and
/// nothing is changed.
public struct HostCheck: Sendable {
  /// Where the host's files are; a test gives a directory of its own.
  public let root: String
  /// What the running systemd says of itself (`Version` of org.freedesktop.systemd1.Manager), e.g.
  /// `252.39-1~deb12u2`. Nil: the version is taken from the installed libsystemd-shared.
  public let systemdVersion: String?

  /// OOMPolicy= of scopes, from 252.39 and 253 on (facts 6).
  public static let oldestSystemd = 252
  /// The nftables table that keeps pods from opening connections, as `nft list table` takes it.
  public static let firewallTable = "inet podctl"

  public init(root: String = "/", systemdVersion: String? = nil) {
    self.root = root
    self.systemdVersion = systemdVersion
  }

  /// Every check, in the order in which a failing one explains those below it.
  public func run() -> [Check] {
    let tree = Tree(root: root)
    let unified = checkUnified(tree)
    var checks = [checkManager(tree), checkVersion(tree), unified]
    // Without the unified hierarchy there are no controllers to ask for.
    if unified.finding == nil { checks += checkControllers(tree) }
    checks += [checkPressure(tree), checkBus(tree), checkPolkit(tree)]
    checks += [checkFirewall(tree), checkNames(tree)]
    return checks
  }

  /// What is missing, fatal things first.
  public func findings() -> [Finding] {
    let all = run().compactMap(\.finding)
    return all.filter { $0.severity == .fatal } + all.filter { $0.severity != .fatal }
  }
}
