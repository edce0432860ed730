import Cgroup
import CLinux
import Glibc
import PodModel
import PodStore
import Systemd

/// Launches one generation, step by step (design.md, "Launch, step by step").
@LoopActor
struct Launcher {
  let systemd: SystemdManager
  let sockets: ListeningSockets
  let launchProgram = "/usr/lib/podctl/pod-launch"

  /// All that one launch needs to know.
  struct Request {
    let unit: UnitName
    let record: PodRecord
    let tier: Tier
    let workload: Workload

    var placeholders: Placeholders {
      Placeholders(
        address: record.address, port: record.port, pod: unit.pod,
        usersFile: UsersFile.path(of: unit.pod), stateDirectory: UserData.directory(of: unit.pod))
    }
  }

  /// Spawns pod-launch, which holds until its scope is up, with all it needs to prepare itself. It is done while
  /// the store writes the generation down; nothing of it outlives podd.
  func prepare(_ request: Request) throws(LaunchFailure) -> LaunchProcess {
    let record = request.record
    do throws(Errno) {
      try UserData.ensure(request.unit.pod, uid: record.uid)
      try NSSRecords.publish(UserDatabaseRecord(pod: request.unit.pod, uid: record.uid))
      try UsersFile.ensureDirectory(of: request.unit.pod)
    } catch {
      throw LaunchFailure(stage: "files", error)
    }
    var listening: CInt?
    if request.workload.listen == .port {
      // Of an earlier form of its workload: the program could not bind beside it.
      sockets.drop(request.unit.pod)
    } else {
      listening = try sockets.socket(
        for: request.unit.pod, address: record.address, front: record.frontAddress, port: record.port)
    }
    return try LaunchProcess.spawn(launchProgram, plan: plan(request), listening: listening)
  }

  /// Ends a held process that will have no scope. Returns when no zombie of it is left either.
  func abandon(_ process: LaunchProcess) async {
    _ = await end(of: process, timeoutUSec: 0)
  }

  /// Returns once the program runs in its scope with its limits verified. On failure nothing is left.
  /// `files` is what must be in place before the program runs; systemd works on the scope meanwhile.
  func launch(
    _ request: Request, _ process: LaunchProcess, files: @escaping @LoopActor () throws(LaunchFailure) -> Void
  ) async throws(LaunchFailure) -> RunningScope {
    let unit = request.unit.description
    let startTicks = ProcessIdentity.startTicks(of: process.pid) ?? 0
    let writing = loopTask {
      Result { () throws(LaunchFailure) in
        do throws(Errno) {
          try ScopeJournalFields.publish(request)
        } catch {
          throw LaunchFailure(stage: "files", error)
        }
        try files()
      }
    }

    do throws(LaunchFailure) {
      try await startScope(request, process)
      try await writing.value.get()
      let cgroup: Cgroup
      do throws(CgroupError) {
        cgroup = try Cgroup(path: Self.cgroupPath(request.unit, tier: request.tier.name))
      } catch {
        throw LaunchFailure(stage: "scope", error: "ENOENT")
      }
      let pidfd: FileDescriptor
      do throws(Errno) {
        pidfd = try process.pidfd.duplicate()
      } catch {
        throw LaunchFailure(stage: "scope", error)
      }
      let scope = RunningScope(
        unit: request.unit, pid: process.pid, startTicks: startTicks, pidfd: pidfd, cgroup: cgroup,
        adopted: false)
      // Before the release: a program that ends at once takes the cgroup, and these files, with it.
      let wrong = scope.limitMismatches(request.tier)
      if !wrong.isEmpty {
        Log.event(
          .limitsMismatch,
          "\(unit): the limits in force are not the tier's: \(wrong.joined(separator: ", "))",
          priority: .error, [("POD", request.unit.pod.description), ("POD_UNIT", unit)])
        throw LaunchFailure(stage: "limits", error: "ERANGE")
      }
      // Bounded by the workload's own patience: the program must at least have begun by then.
      try await begin(process, patience: request.workload.timeoutStartUSec)
      sockets.keep(request.unit.pod)
      return scope
    } catch {
      process.cancel()
      _ = await writing.value
      _ = try? await systemd.stopUnit(unit)
      // AddRef would keep it loaded for as long as podd is on the bus.
      try? await systemd.unreferenceUnit(unit)
      await abandon(process)
      ScopeJournalFields.withdraw(request.unit)
      throw error
    }
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
      if result == "done" { return }
      failure = LaunchFailure(stage: "scope", error: result == "timeout" ? "ETIMEDOUT" : "EIO")
      Log.warning("\(request.unit): systemd's job for the scope ended with '\(result)'")
    } catch {
      failure = LaunchFailure(stage: "scope", error: Errno.name(of: error.code))
      Log.warning("\(request.unit): systemd refused to start the scope: \(error.message)")
    }
    // When the held process had failed first, its own words say why (facts 2). That it was killed before it had read its
    // plan, which the kernel tells as ECONNRESET, is no such word.
    process.cancel()
    do throws(LaunchFailure) {
      try await process.waitForProgram(timeoutUSec: 1_000_000)
    } catch  where error.stage != "release" {
      throw error
    } catch {}
    throw failure
  }

  private func plan(_ request: Request) -> LaunchPlan {
    let expanded = request.workload.expand(request.placeholders)
    return LaunchPlan.compose(
      unit: request.unit, tier: request.tier, workload: request.workload, uid: request.record.uid,
      command: expanded.execStart, environment: expanded.environment, names: request.placeholders,
      host: Self.hostLayout)
  }

  /// Another process of the same program, which holds until it may ``enter(_:_:patience:)`` the scope.
  func spawnWorker(_ request: Request) throws(LaunchFailure) -> LaunchProcess {
    let record = request.record
    let listening = try sockets.socket(
      for: request.unit.pod, address: record.address, front: record.frontAddress, port: record.port)
    return try LaunchProcess.spawn(launchProgram, plan: plan(request), listening: listening)
  }

  /// Lets it begin in a scope that runs. On failure nothing is left of it.
  func enter(
    _ process: LaunchProcess, _ scope: RunningScope, patience: UInt64
  ) async throws(LaunchFailure) {
    do throws(LaunchFailure) {
      do throws(CgroupError) {
        try scope.attach(process.pid)
      } catch {
        throw LaunchFailure(stage: "cgroup", error: "EIO")
      }
      try await begin(process, patience: patience)
    } catch {
      await abandon(process)
      throw error
    }
  }

  private func begin(_ process: LaunchProcess, patience: UInt64) async throws(LaunchFailure) {
    do throws(LaunchFailure) {
      try process.release()
    } catch {
      // It has ended before: its own words say why.
      try await process.waitForProgram(timeoutUSec: 1_000_000)
      throw error
    }
    try await process.waitForProgram(timeoutUSec: patience)
  }

  /// ExecReload=: the command runs as the pod, in the pod's scope and view, to its end and with status 0, for
  /// at most TimeoutStartSec=, as with systemd.
  func reload(_ request: Request, in scope: RunningScope) async throws(LaunchFailure) {
    var request = request
    request = Request(
      unit: scope.unit, record: request.record, tier: request.tier, workload: request.workload)
    let expanded = request.workload.expand(request.placeholders)
    var workload = request.workload
    workload.listen = .port
    let plan = LaunchPlan.compose(
      unit: scope.unit, tier: request.tier, workload: workload, uid: request.record.uid,
      command: expanded.execReload, environment: expanded.environment, names: request.placeholders,
      host: Self.hostLayout)
    let patience = request.workload.timeoutStartUSec
    let process = try LaunchProcess.spawn(launchProgram, plan: plan, listening: nil)
    try await enter(process, scope, patience: patience)
    let reason = await end(of: process, timeoutUSec: patience)
    if reason != .exited(0) {
      throw LaunchFailure(stage: "reload", error: reason?.description ?? "ETIMEDOUT")
    }
  }

  /// How a command ended, which no zombie outlives; nil when it had to be killed for taking too long.
  private func end(of process: LaunchProcess, timeoutUSec: UInt64) async -> EndReason? {
    let inTime = await EventLoop.main.wait(
      descriptor: process.pidfd.raw, events: PollEvents.input, timeoutUSec: timeoutUSec)
    if inTime == 0 {
      process.cancel()
      _ = await EventLoop.main.wait(
        descriptor: process.pidfd.raw, events: PollEvents.input, timeoutUSec: nil)
    }
    guard let exit = RunningScope.exit(of: process.pid), inTime != 0 else { return nil }
    return EndReason(exit)
  }

  /// `/pods.slice/pods-free.slice/pod-001-1.scope`
  static func cgroupPath(_ unit: UnitName, tier: String) -> String {
    "/pods.slice/\(ScopeProperties.slice(ofTier: tier))/\(unit)"
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
