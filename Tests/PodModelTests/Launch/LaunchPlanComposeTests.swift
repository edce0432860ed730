import PodModel
import Testing

@Suite struct LaunchPlanComposeTests {
  static let state = "/var/lib/podctl/pods/pod-001"

  /// The plan of pod-001's third launch, after `edit` has changed its workload.
  static func operations(
    _ command: [String] = ["/usr/bin/server"], environment: [String] = [],
    layout: HostLayout = HostLayout(links: ["/bin": "usr/bin", "/lib": "usr/lib"]),
    edit: (inout Workload) -> Void = { _ in }
  ) -> [LaunchPlan.Operation] {
    var tier = Tier(name: "free")
    tier.memoryMax = 96 << 20
    var workload = Workload(name: "server")
    edit(&workload)
    let pod = PodName(number: 1)
    let names = Placeholders(
      address: "127.77.0.1", port: 10001, pod: pod, usersFile: "/run/podctl/pods/pod-001/users",
      stateDirectory: state)
    return LaunchPlan.compose(
      unit: UnitName(pod: pod, generation: 3), tier: tier, workload: workload, uid: 1_900_000_001,
      command: command, environment: environment, names: names, host: layout
    ).operations
  }

  static func environment(_ operations: [LaunchPlan.Operation]) -> [String] {
    operations.compactMap { if case .env(let text) = $0 { text } else { nil } }
  }

  static func binds(_ operations: [LaunchPlan.Operation]) -> [String: LaunchPlan.BindFlags] {
    var all: [String: LaunchPlan.BindFlags] = [:]
    for case .bind(let flags, _, let target) in operations { all[target] = flags }
    return all
  }

  @Test(
    arguments: [
      // Who may reach the local resolver sees the directory, and with it what replaces the file.
      ("/run/systemd/resolve/stub-resolv.conf", ["any"], "/run/systemd/resolve"),
      ("/run/systemd/resolve/stub-resolv.conf", ["localhost"], "/run/systemd/resolve"),
      ("/run/NetworkManager/resolv.conf", ["192.0.2.1", "127.0.0.0/8"], "/run/NetworkManager"),
      // Others do not get at the resolver's socket.
      ("/run/systemd/resolve/stub-resolv.conf", ["192.0.2.1"], "/run/systemd/resolve/stub-resolv.conf"),
      // Never the whole of /run, and nothing but the file elsewhere.
      ("/run/resolv.conf", ["any"], "/run/resolv.conf"),
      ("/srv/net/resolv.conf", ["any"], "/srv/net/resolv.conf"),
      ("/etc/resolvconf/run/resolv.conf", ["any"], nil), ("/run/systemd/resolve/resolv.conf", [], nil),
      (nil, ["any"], nil),
    ] as [(String?, [String], String?)])
  func aPodThatMayReachTheNetworkReadsTheResolversFile(file: String?, allowed: [String], shown: String?) {
    let usual = Self.binds(Self.operations())
    let layout = HostLayout(links: ["/bin": "usr/bin", "/lib": "usr/lib"], resolverFile: file)
    let binds = Self.binds(Self.operations(layout: layout) { $0.ipAddressAllow = allowed })
    let more = binds.filter { usual[$0.key] == nil }
    #expect(more == (shown.map { [$0: [.optional]] } ?? [:]))
  }

  @Test func itRunsInItsScopeAsItsUser() {
    let plan = Self.operations()
    #expect(plan.contains(.cgroup("/pods.slice/pods-free.slice/pod-001-3.scope")))
    #expect(plan.contains(.uid(1_900_000_001)))
    #expect(plan.contains(.ident("pod-001")))
    #expect(plan.contains(.chdir(Self.state)))
  }

  @Test func onlyItsStateAndTemporaryDirectoriesAreWritable() {
    let plan = Self.operations()
    #expect(Self.binds(plan).filter { $0.value.contains(.writable) }.map(\.key) == [Self.state])
    #expect(Self.binds(plan)["/usr"] == [.recursive, .exec])
    #expect(plan.contains(.tmpfs(path: "/tmp", mode: 0o1777, options: "size=25165824,nr_inodes=16k,noexec")))
  }

  @Test func nothingOfOtherPodsIsBound() {
    for target in Self.binds(Self.operations()).keys {
      #expect(
        !["/var", "/var/lib", "/var/lib/podctl", "/var/lib/podctl/pods", "/run", "/run/podctl"].contains(
          target))
    }
  }

  @Test func theRootIsMadeReadOnlyAfterEverythingIsInIt() throws {
    let plan = Self.operations()
    let seal = try #require(plan.firstIndex(of: .readonly("/")))
    for operation in plan[seal...].dropFirst() {
      switch operation {
      case .listen, .chdir, .env, .arg: break
      default: Issue.record("\(operation) comes after the root is read-only")
      }
    }
  }

  @Test func aDirectoryComesBeforeWhatLiesInIt() throws {
    let plan = Self.operations { $0.readWritePaths = ["/srv/data", "/var"] }
    let targets = plan.compactMap { operation -> String? in
      switch operation {
      case .bind(_, _, let target): target
      case .tmpfs(let path, _, _): path
      default: nil
      }
    }
    for (index, target) in targets.enumerated() {
      for earlier in targets[..<index] { #expect(!earlier.hasPrefix(target + "/"), "\(earlier) is hidden") }
    }
    #expect(targets.contains("/var/tmp"))
  }

  @Test func theWorkloadsPathsAreSeen() {
    let binds = Self.binds(
      Self.operations {
        $0.readOnlyPaths = ["/home/app", "-/mnt/maybe", "/", "/lib/firmware", "/var/run/x"]
        $0.readWritePaths = ["-/srv/data", "/srv"]
      })
    #expect(binds["/home/app"] == [.recursive, .exec])
    #expect(binds["/mnt/maybe"] == [.optional, .recursive, .exec])
    #expect(binds["/srv/data"] == [.writable, .optional, .recursive, .exec])
    #expect(binds["/srv"] == [.writable, .recursive, .exec])
    #expect(binds["/"] == nil)
    #expect(binds["/usr/lib/firmware"] == [.recursive, .exec], "pod-launch follows no link")
    #expect(binds["/run/x"] == [.recursive, .exec])
  }

  @Test(arguments: [
    ("/usr/bin/server", nil), ("/bin/server", nil), ("/opt/app/server", nil),
    ("/home/app/server", "/home/app/server"), ("/etc/app/server", "/etc/app/server"),
    ("\(state)/server", "\(state)/server"), ("/usrlocal/server", "/usrlocal/server"),
  ])
  func theProgramIsAlwaysVisible(program: String, bound: String?) {
    let binds = Self.binds(Self.operations([program]))
    let extra = Set(binds.keys).subtracting(Self.binds(Self.operations()).keys)
    #expect(extra == Set([bound].compactMap { $0 }))
    if let bound { #expect(binds[bound] == [.optional, .exec]) }
  }

  @Test func theEnvironmentIsWhatAServiceGets() {
    let environment = Self.environment(Self.operations())
    #expect(environment.contains("HOME=\(Self.state)"))
    #expect(environment.contains("USER=pod-001"))
    #expect(environment.contains("NOTIFY_SOCKET=/run/podctl/notify/socket"))
    #expect(environment.contains("ADDRESS=127.77.0.1"))
    #expect(environment.contains("PORT=10001"))
    #expect(environment.contains("USERS_FILE=/run/podctl/pods/pod-001/users"))
    #expect(!environment.contains { $0.hasPrefix("INVOCATION_ID=") || $0.hasPrefix("TMPDIR=") })
  }

  @Test func theWorkloadsVariablesWinButNotOverPoddsOwn() {
    let own = ["LANG=de_DE.UTF-8", "LANG=fr_FR.UTF-8", "NOTIFY_SOCKET=/x", "LISTEN_FDS=9", "X=a=b"]
    let environment = Self.environment(Self.operations(environment: own))
    #expect(environment.filter { $0.hasPrefix("LANG=") } == ["LANG=fr_FR.UTF-8"])
    #expect(environment.contains("NOTIFY_SOCKET=/run/podctl/notify/socket"))
    #expect(!environment.contains("LISTEN_FDS=9"))
    #expect(environment.contains("X=a=b"))
  }

  @Test func aSocketIsPassedOnlyToThoseThatWantOne() {
    #expect(Self.operations().contains(.listen(count: 1, names: "pod-001")))
    #expect(!Self.operations { $0.listen = .port }.contains(.listen(count: 1, names: "pod-001")))
  }

  @Test func aHostWithoutMergedUsrKeepsItsDirectories() {
    let plan = Self.operations(layout: HostLayout(links: [:], directories: ["/bin", "/lib"]))
    #expect(Self.binds(plan)["/bin"] == [.recursive, .exec])
    #expect(!plan.contains(.symlink(content: "usr/bin", path: "/bin")))
  }

  @Test func thePodsSeeNoSettings() {
    let plan = Self.operations(layout: HostLayout(links: [:], hidden: HostLayout.secret)) {
      $0.readOnlyPaths = ["/etc/podctl/site.conf"]
    }
    let paths = plan.compactMap { operation -> String? in
      switch operation {
      case .bind(_, _, let target): target
      case .tmpfs(let path, _, _): path
      default: nil
      }
    }
    #expect(
      paths.filter { $0.hasPrefix("/etc") } == ["/etc", "/etc/podctl", "/etc/podctl/site.conf"])
    #expect(Self.binds(plan)["/etc/podctl"] == nil)
  }

  @Test func itsUserHasANameInside() {
    let plan = Self.operations()
    #expect(plan.contains(.symlink(content: "pod-001.user", path: "/run/userdb/1900000001.user")))
    #expect(plan.contains(.symlink(content: "pod-001.group", path: "/run/userdb/1900000001.group")))
    let record = UserDatabaseRecord(pod: PodName(number: 1), uid: 1_900_000_001)
    #expect(plan.contains(.file(mode: 0o644, path: "/run/userdb/pod-001.user", content: record.user)))
  }

  @Test func theRecordIsSystemds() {
    let record = UserDatabaseRecord(pod: PodName(number: 12), uid: 1_900_000_012)
    #expect(
      record.user
        == #"{"userName":"pod-012","realName":"podctl pod 12","uid":1900000012,"gid":1900000012,"#
        + #""homeDirectory":"/var/lib/podctl/pods/pod-012","shell":"/usr/sbin/nologin","locked":true,"#
        + #""disposition":"dynamic","service":"org.podctl1"}"# + "\n")
    #expect(
      record.group
        == #"{"groupName":"pod-012","gid":1900000012,"disposition":"dynamic","service":"org.podctl1"}"# + "\n"
    )
  }
}
