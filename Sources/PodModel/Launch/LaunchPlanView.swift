/// The layout of the host's root directory, which differs between distributions.
public struct HostLayout: Sendable, Equatable {
  /// The names that can be a link or a directory.
  public static let names = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"]

  /// The names that are symbolic links, with their content: `"/bin": "usr/bin"`.
  public var links: [String: String]
  /// The names that are directories.
  public var directories: [String]
  /// Where `/etc/resolv.conf` leads to, when it is a symbolic link: an absolute path without links. Programs such as
  /// systemd-resolved and NetworkManager keep it below /run and replace it.
  public var resolverFile: String?
  /// Those of ``secret`` that exist.
  public var hidden: [String]

  /// Directories that no pod sees: settings may hold what is another pod's, such as an `Environment=`.
  public static let secret = ["/etc/podctl"]

  public init(
    links: [String: String], directories: [String] = [], resolverFile: String? = nil, hidden: [String] = []
  ) {
    self.links = links
    self.directories = directories
    self.resolverFile = resolverFile
    self.hidden = hidden
  }
}

/// The pod's file system: which of the host's files the pod sees, and with which mount flags.
struct LaunchView {
  private var links: [String: String]
  /// By target: a later entry for the same path replaces an earlier one.
  private var mounts: [String: LaunchPlan.Operation] = [:]

  init(workload: Workload, tier: Tier, names: Placeholders, program: String?, host: HostLayout) {
    links = host.links
    links["/var/run"] = "/run"
    for path in ["/usr"] + host.directories { bind([.recursive, .exec], path) }
    // noexec, because /etc is not a place for programs; `show` mounts the workload's program if it lies there.
    bind([.recursive], "/etc")
    // Empty; what a workload names in it is mounted there.
    for path in host.hidden {
      mounts[path] = .tmpfs(path: path, mode: 0o755, options: "size=16k,nr_inodes=64,noexec")
    }
    for path in ["/opt", "/srv"] { bind([.optional, .recursive, .exec], path) }
    mounts["/dev"] = .dev("/dev")
    mounts["/proc"] = .proc("/proc")
    mounts["/sys/fs/cgroup"] = .cgroupfs("/sys/fs/cgroup")
    for path in ["/tmp", "/var/tmp"] {
      mounts[path] = .tmpfs(path: path, mode: 0o1777, options: Self.temporaryOptions(tier))
    }
    // Directories, so that the pod also sees sockets and files that replace earlier ones. A read-only mount allows
    // connecting to a socket.
    if workload.bindLogSockets { bind([], "/run/systemd/journal") }
    // Only pods see this directory: on the host it lies where nobody but root can go.
    mounts[LaunchPlan.notifyDirectory] = .bind(
      [], source: LaunchPlan.notifySource.directory, target: LaunchPlan.notifyDirectory)
    bind([], Self.parent(of: names.usersFile))
    // noexec, as on /tmp: a pod does not execute files that it has written.
    bind([.writable], names.stateDirectory)
    if let file = host.resolverFile, !workload.ipAddressAllow.isEmpty { showResolver(file, workload) }
    for path in workload.readOnlyPaths { bindNamed([.recursive, .exec], path) }
    for path in workload.readWritePaths { bindNamed([.writable, .recursive, .exec], path) }
    if let program { show(program: program) }
  }

  /// Links first, then mounts, each directory before the paths below it.
  var operations: [LaunchPlan.Operation] {
    links.sorted { $0.key < $1.key }.map { .symlink(content: $0.value, path: $0.key) }
      + mounts.sorted { Self.components($0.key).lexicographicallyPrecedes(Self.components($1.key)) }
      .map(\.value)
  }

  /// The pages of a tmpfs are charged to the pod anyway; the size limit keeps `/tmp` from using all of its memory.
  private static func temporaryOptions(_ tier: Tier) -> String {
    let size = tier.memoryMax.map { max($0 / 4, 1 << 20) } ?? 64 << 20
    return "size=\(size),nr_inodes=16k,noexec"
  }

  private mutating func bind(_ flags: LaunchPlan.BindFlags, _ path: String) {
    mounts[path] = .bind(flags, source: path, target: path)
  }

  /// Makes the link `/etc/resolv.conf` lead to what it leads to on the host, for a pod that may reach the network.
  ///
  /// The directory, so that the pod also sees a file that replaces this one. But next to the file of systemd-resolved
  /// is a socket that resolves any name: a pod that may not reach the local resolver gets the file alone, as it is now.
  private mutating func showResolver(_ file: String, _ workload: Workload) {
    let parts = Self.components(file)
    // /etc and /usr are there already.
    guard let top = parts.first, top != "etc", top != "usr" else { return }
    let isInRuntimeDirectory = top == "run" && parts.count > 2
    bind(
      [.optional], isInRuntimeDirectory && Self.reachesLocalResolver(workload) ? Self.parent(of: file) : file)
  }

  /// Whether `IPAddressAllow=` has 127.0.0.53, where systemd-resolved answers.
  private static func reachesLocalResolver(_ workload: Workload) -> Bool {
    workload.ipAddressAllow.contains { word in
      guard let prefixes = try? IPPrefix.expand(word) else { return false }
      return prefixes.contains { $0.contains([127, 0, 0, 53]) }
    }
  }

  /// Mounts a path of the workload file. A prefix `-` means that the path may be absent, as in systemd. `/` is ignored,
  /// because no pod sees the host's whole root.
  private mutating func bindNamed(_ flags: LaunchPlan.BindFlags, _ written: String) {
    let isOptional = written.hasPrefix("-")
    let path = resolve(isOptional ? String(written.dropFirst()) : written)
    guard path != "/" else { return }
    bind(isOptional ? flags.union(.optional) : flags, path)
  }

  /// Mounts the program alone if it does not lie in an executable mount. The mount is optional, so that a missing
  /// program fails at the stage `exec`, as users expect.
  private mutating func show(program: String) {
    let path = resolve(program)
    let holder = mounts.keys.filter { Self.components(path).starts(with: Self.components($0)) }
      .max { $0.utf8.count < $1.utf8.count }
    if let holder, case .bind(let flags, _, _) = mounts[holder], flags.contains(.exec) { return }
    bind([.optional, .exec], path)
  }

  /// Resolves links, because pod-launch follows none in the root of the pod: `/bin/x` is mounted at `/usr/bin/x`.
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
