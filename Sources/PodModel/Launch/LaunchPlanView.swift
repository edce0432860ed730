/// What podd found in the host's root directory, where distributions differ.
public struct HostLayout: Sendable, Equatable {
  /// The names that podd checks.
  public static let names = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"]

  /// The names that are symbolic links, with their targets: `"/bin": "usr/bin"`.
  public var links: [String: String]
  /// The names that are directories.
  public var directories: [String]

  public init(links: [String: String], directories: [String] = []) {
    self.links = links
    self.directories = directories
  }
}

/// The host's files that a pod sees, and how it sees them.
struct LaunchView {
  private var links: [String: String]
  /// By target: a later entry for the same path replaces an earlier one.
  private var mounts: [String: LaunchPlan.Operation] = [:]

  init(workload: Workload, tier: Tier, names: Placeholders, program: String?, host: HostLayout) {
    links = host.links
    links["/var/run"] = "/run"
    for path in ["/usr"] + host.directories { bind([.recursive, .exec], path) }
    // Configuration is no place for programs; the workload names a program that is run from there.
    bind([.recursive], "/etc")
    for path in ["/opt", "/srv"] { bind([.optional, .recursive, .exec], path) }
    mounts["/dev"] = .dev("/dev")
    mounts["/proc"] = .proc("/proc")
    mounts["/sys/fs/cgroup"] = .cgroupfs("/sys/fs/cgroup")
    for path in ["/tmp", "/var/tmp"] {
      mounts[path] = .tmpfs(path: path, mode: 0o1777, options: Self.temporaryOptions(tier))
    }
    // Directories, so that the pod sees a socket or file that replaces another. Connecting to a socket is
    // allowed on a read-only mount.
    bind([], "/run/systemd/journal")
    bind([], "/run/podctl/notify")
    bind([], Self.parent(of: names.usersFile))
    // A pod must not run what it writes: noexec, as on /tmp.
    bind([.writable], names.stateDirectory)
    for path in workload.readOnlyPaths { bindNamed([.recursive, .exec], path) }
    for path in workload.readWritePaths { bindNamed([.writable, .recursive, .exec], path) }
    if let program { show(program: program) }
  }

  /// Links first, then a directory before what lies in it.
  var operations: [LaunchPlan.Operation] {
    links.sorted { $0.key < $1.key }.map { .symlink(content: $0.value, path: $0.key) }
      + mounts.sorted { Self.components($0.key).lexicographicallyPrecedes(Self.components($1.key)) }
      .map(\.value)
  }

  /// The pages are charged to the pod, so the size only keeps `/tmp` from using all of its memory.
  private static func temporaryOptions(_ tier: Tier) -> String {
    let size = tier.memoryMax.map { max($0 / 4, 1 << 20) } ?? 64 << 20
    return "size=\(size),nr_inodes=16k,noexec"
  }

  private mutating func bind(_ flags: LaunchPlan.BindFlags, _ path: String) {
    mounts[path] = .bind(flags, source: path, target: path)
  }

  /// A path of the workload file, with systemd's `-` when it may be absent. `/` would be the host's whole
  /// root and is left out: no pod sees that.
  private mutating func bindNamed(_ flags: LaunchPlan.BindFlags, _ written: String) {
    let isOptional = written.hasPrefix("-")
    let path = resolve(isOptional ? String(written.dropFirst()) : written)
    guard path != "/" else { return }
    bind(isOptional ? flags.union(.optional) : flags, path)
  }

  /// A program outside the pod's executable directories is mounted alone. It is optional, so that a missing
  /// program fails at `exec`, as a user expects.
  private mutating func show(program: String) {
    let path = resolve(program)
    let holder = mounts.keys.filter { Self.components(path).starts(with: Self.components($0)) }
      .max { $0.utf8.count < $1.utf8.count }
    if let holder, case .bind(let flags, _, _) = mounts[holder], flags.contains(.exec) { return }
    bind([.optional, .exec], path)
  }

  /// pod-launch follows no link in the pod's root: `/bin/x` is mounted at `/usr/bin/x`.
  private func resolve(_ path: String) -> String {
    for (link, content) in links where path == link || path.hasPrefix(link + "/") {
      let target = content.hasPrefix("/") ? content : Self.parent(of: link) + "/" + content
      return "/" + Self.components(target + path.dropFirst(link.count)).joined(separator: "/")
    }
    return path
  }

  private static func components(_ path: String) -> [Substring] { path.split(separator: "/") }

  private static func parent(of path: String) -> String {
    "/" + components(path).dropLast().joined(separator: "/")
  }
}
