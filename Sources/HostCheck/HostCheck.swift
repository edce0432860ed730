/// Checks whether a host has what pods need. It only reads files: it starts no process and changes nothing.
public struct HostCheck: Sendable {
  /// The directory that holds the host's files; a test has one of its own.
  public let root: String
  /// `Version` of org.freedesktop.systemd1.Manager, e.g. `252.39-1~deb12u2`. Nil: the version is read from the name of
  /// the installed libsystemd-shared.
  public let systemdVersion: String?

  /// OOMPolicy= of scopes, from 252.39 and 253 on (facts 6).
  public static let oldestSystemd = 252
  /// The nftables table that keeps pods from opening connections, as `nft list table` takes it.
  public static let firewallTable = "inet podctl"
  /// The id of the finding that nft is missing.
  public static let firewallID = "nftables"

  public init(root: String = "/", systemdVersion: String? = nil) {
    self.root = root
    self.systemdVersion = systemdVersion
  }

  /// All checks of the host, without its settings files. Where one failure causes another, the cause comes first.
  ///
  /// - Parameter onlyVital: leaves out the checks that only advise, which may read the descriptors of all processes.
  public func run(onlyVital: Bool = false) -> [Check] {
    let tree = Tree(root: root)
    let unified = checkUnified(tree)
    var checks = [checkManager(tree), checkVersion(tree), unified]
    // Without the unified hierarchy there are no controllers to check.
    if unified.finding == nil { checks += checkControllers(tree) }
    checks += [checkPressure(tree), checkBus(tree), checkPolkit(tree)]
    checks += [checkFirewall(tree), checkBPF(tree)]
    if !onlyVital { checks += [checkPorts(tree), checkNames(tree)] }
    return checks
  }

  /// What is missing, fatal findings first.
  public func findings(onlyVital: Bool = false) -> [Finding] {
    let all = run(onlyVital: onlyVital).compactMap(\.finding)
    return all.filter { $0.severity == .fatal } + all.filter { $0.severity != .fatal }
  }
}
