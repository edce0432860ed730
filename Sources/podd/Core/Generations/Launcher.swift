import Cgroup
import Glibc
import Linux
import PodModel
import PodStore
import Systemd
import Time

/// The steps of one launch (docs/design.md, "Launch, step by step").
@LoopActor
struct Launcher {
  let systemd: SystemdManager
  let sockets: ListeningSockets
  let launchProgram = LaunchProgram.installed
  /// For the scope of a pod-launch that was killed before it ran the program.
  private static let patienceWithAbandoned: Microseconds = .minutes(1)

  /// What a generation is launched with. A class, as a generation needs it only until its program runs.
  final class Request: Sendable {
    let unit: UnitName
    let record: PodRecord
    let tier: Tier
    let workload: Workload

    init(unit: UnitName, record: PodRecord, tier: Tier, workload: Workload) {
      self.unit = unit
      self.record = record
      self.tier = tier
      self.workload = workload
    }

    var placeholders: Placeholders {
      Placeholders(
        address: record.address, port: record.port, pod: unit.pod,
        usersFile: UsersFile.path(of: unit.pod), stateDirectory: UserFiles.directory(of: unit.pod))
    }
  }

  /// Spawns pod-launch, which prepares itself and parks until its scope is up. It is done while the store writes the
  /// generation down; nothing of it outlives podd.
  ///
  /// - Parameter isAlone: no other generation of the pod uses its socket.
  func park(_ request: Request, isAlone: Bool) throws(LaunchFailure) -> LaunchProcess {
    let record = request.record
    do throws(Errno) {
      try PodDirectory(places: .host, pod: record.name, uid: record.uid, layout: record.layout).ensure()
      try NSSRecords.publish(UserDatabaseRecord(pod: request.unit.pod, uid: record.uid))
      try UsersFile.ensureDirectory(of: request.unit.pod)
    } catch {
      throw LaunchFailure(stage: .files, error)
    }
    var listening: CInt?
    if request.workload.listen == .port {
      // podd has the port until the program binds it. A socket that listens is of an earlier form of the workload.
      sockets.refuse(request.unit.pod)
      try sockets.reserve(record)
    } else {
      listening = try sockets.socket(for: record)
      if isAlone { sockets.renew(request.unit.pod) }
    }
    return try LaunchProcess.spawn(launchProgram, plan: plan(request), listening: listening)
  }

  /// Has systemd make the scope around the parked process. `files` writes what must be in place before the program runs;
  /// systemd works on the scope meanwhile. Returns when both are done.
  func startScope(
    _ request: Request, _ process: LaunchProcess,
    files: @escaping @LoopActor () async throws(LaunchFailure) -> Void
  ) async throws(LaunchFailure) -> RunningScope {
    let startTicks = ProcessIdentity.startTicks(of: process.pid) ?? 0
    let writing = loopTask { () -> Result<Void, LaunchFailure> in
      do throws(LaunchFailure) {
        do throws(Errno) {
          try ScopeJournalFields.publish(request)
        } catch {
          throw LaunchFailure(stage: .files, error)
        }
        try await files()
        return .success(())
      } catch {
        return .failure(error)
      }
    }
    let started: Result<Void, LaunchFailure>
    do throws(LaunchFailure) {
      try await startScope(request, process)
      started = .success(())
    } catch {
      started = .failure(error)
    }
    // Awaited in any case: what it writes must not come after the files have been taken away again.
    let written = await writing.value
    try started.get()
    try written.get()
    let cgroup: Cgroup
    do throws(CgroupError) {
      cgroup = try Cgroup(path: Self.cgroupPath(request.unit, tier: request.tier.name))
    } catch {
      throw LaunchFailure(stage: .scope, error: "ENOENT")
    }
    let pidfd: FileDescriptor
    do throws(Errno) {
      pidfd = try process.pidfd.duplicate()
    } catch {
      throw LaunchFailure(stage: .scope, error)
    }
    return RunningScope(
      unit: request.unit, pid: process.pid, startTicks: startTicks, pidfd: pidfd, cgroup: cgroup,
      adopted: false)
  }

  /// Compares the limits in force with the tier's. To be called before the release: a program that ends at once takes
  /// the cgroup, and these files, with it.
  func verifyLimits(of scope: RunningScope, _ request: Request) throws(LaunchFailure) {
    let wrong = scope.limitMismatches(request.tier)
    if wrong.isEmpty { return }
    PodEvent.limitsMismatch(scope.unit, wrong: wrong).log()
    throw LaunchFailure(stage: .limits, error: "ERANGE")
  }

  /// From here on the pod's processes can bind the pod's own address and port alone.
  func limitBinds(of scope: RunningScope, _ request: Request) throws(LaunchFailure) {
    do throws(Errno) {
      try BindGuard.cover(scope, of: request.record)
    } catch {
      Log.warning(
        "\(scope.unit): the kernel does not limit what the pod binds, so it is not launched: \(error)")
      throw LaunchFailure(stage: .firewall, error)
    }
  }

  /// Lets the program begin. Returns when it runs.
  func release(_ request: Request, _ process: LaunchProcess) async throws(LaunchFailure) {
    if request.workload.listen == .port { sockets.drop(request.unit.pod) }
    // Bounded by the workload's own patience: the program must at least have begun by then.
    try await begin(process, patience: request.workload.timeoutStart)
    sockets.keep(request.unit.pod)
  }

  /// Ends a parked process that will have no scope. Returns when no zombie of it is left either.
  func abandon(_ process: LaunchProcess) async {
    _ = await end(of: process, timeout: .zero)
  }

  /// The same when systemd was asked for its scope. Returns when nothing is left of either.
  func abandon(_ request: Request, _ process: LaunchProcess) async {
    let unit = request.unit.description
    process.cancel()
    _ = try? await systemd.stopUnit(unit, within: Self.patienceWithAbandoned)
    // AddRef would keep it loaded for as long as podd is on the bus.
    try? await systemd.unreferenceUnit(unit)
    await abandon(process)
    ScopeJournalFields.withdraw(request.unit)
  }

  private func startScope(_ request: Request, _ process: LaunchProcess) async throws(LaunchFailure) {
    let scope = ScopeProperties(
      unit: request.unit.description, pid: UInt32(process.pid),
      description:
        "podctl \(request.tier.name) pod \(request.unit.pod), generation \(request.unit.generation)",
      tier: request.tier, workload: request.workload, frontAddress: request.record.frontAddress)
    let failure: LaunchFailure
    do throws(BusError) {
      let result = try await systemd.startScope(scope)
      if result == .finished(.done) { return }
      failure = LaunchFailure(stage: .scope, error: result == .finished(.timeout) ? "ETIMEDOUT" : "EIO")
      Log.warning("\(request.unit): systemd's job for the scope ended with '\(result)'")
    } catch {
      failure = LaunchFailure(stage: .scope, error: ErrnoName(rawValue: Errno.name(of: error.code)))
      Log.warning("\(request.unit): systemd refused to start the scope: \(error.message)")
    }
    // A process that failed before its scope was up says why itself (facts 2). ECONNRESET is no such answer: the kernel
    // reports it for a process that was killed before it had read its plan.
    process.cancel()
    do throws(LaunchFailure) {
      try await process.waitForProgram(timeout: .seconds(1))
    } catch  where error.stage != .release {
      throw error
    } catch {}
    throw failure
  }

  /// `/pods.slice/pods-free.slice/pod-001-1.scope`
  static func cgroupPath(_ unit: UnitName, tier: String) -> String {
    ControlGroup.scope(unit, tier: tier).path
  }

  /// As it is now: installing systemd-resolved makes /etc/resolv.conf a link, for example.
  static var layout: HostLayout {
    var layout = hostLayout
    let file = "/etc/resolv.conf"
    layout.resolverFile = Files.linkTarget(file) == nil ? nil : Files.resolved(file)
    layout.hidden = HostLayout.secret.filter { Files.exists($0) }
    return layout
  }

  /// Read once: a host does not change where its /bin is.
  private static let hostLayout: HostLayout = {
    var links: [String: String] = [:]
    var directories: [String] = []
    for name in HostLayout.names {
      if let target = Files.linkTarget(name) {
        links[name] = target
      } else if Files.exists(name) {
        directories.append(name)
      }
    }
    return HostLayout(links: links, directories: directories)
  }()
}
