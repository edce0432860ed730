extension LaunchPlan {
  /// The plan of one generation (docs/architecture.md, "What a pod sees").
  ///
  /// - Parameters:
  ///   - uid: the pod's user and group.
  ///   - command: `ExecStart=` with its placeholders replaced; the first word is an absolute path.
  ///   - environment: the workload's `Environment=` with its placeholders replaced. It takes precedence over the
  ///     variables that every pod gets, except `reservedVariables`.
  ///   - names: the values of the placeholders, which are also variables of every pod.
  ///   - host: the layout of the host's root directory.
  public static func compose(
    unit: UnitName, tier: Tier, workload: Workload, uid: UInt32, command: [String],
    environment: [String], names: Placeholders, host: HostLayout
  ) -> LaunchPlan {
    var operations: [Operation] = [
      .cgroup(ControlGroup.scope(unit, tier: tier.name).path),
      .ident(unit.pod.description),
      .uid(uid),
      .nofile(openFiles),
    ]
    let view = LaunchView(workload: workload, tier: tier, names: names, program: command.first, host: host)
    operations += view.operations
    operations += UserDatabaseRecord(pod: unit.pod, uid: uid).launchOperations
    operations.append(.readonly("/"))
    if workload.listen == .socket { operations.append(.listen(count: 1, names: unit.pod.description)) }
    operations.append(.chdir(names.stateDirectory))
    operations += variables(environment, names: names).map { .env($0) }
    operations += command.map { .arg($0) }
    return LaunchPlan(operations)
  }

  /// RLIMIT_NOFILE: enough for a server's connections, and so few that a program which closes every possible descriptor
  /// one by one takes only a millisecond or two.
  public static let openFiles: UInt32 = 16384

  /// Where every pod sees the directory of podd's notify socket.
  public static let notifyDirectory = "/run/podctl/notify"

  /// The same directory on the host, and the directory above it, which is root's alone.
  public static let notifySource = (closed: "/run/podctl/private", directory: "/run/podctl/private/notify")

  /// Variables that a workload file cannot set, because podd and pod-launch communicate with the program through them.
  static let reservedVariables: Set<String> = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "NOTIFY_SOCKET"]

  /// One assignment for each name, because getenv(3) would find the first of two.
  private static func variables(_ own: [String], names: Placeholders) -> [String] {
    let pod = names.pod.description
    var all = [
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "LANG=C.UTF-8",
      "HOME=\(names.stateDirectory)",
      "USER=\(pod)",
      "LOGNAME=\(pod)",
      "SHELL=/usr/sbin/nologin",
      "NOTIFY_SOCKET=\(notifyDirectory)/socket",
    ]
    all += Placeholders.Name.allCases.map { "\($0.rawValue)=\(names[$0])" }
    for assignment in own where !reservedVariables.contains(name(of: assignment)) {
      all.removeAll { name(of: $0) == name(of: assignment) }
      all.append(assignment)
    }
    return all
  }

  private static func name(of assignment: String) -> String {
    String(assignment.prefix { $0 != "=" })
  }
}
