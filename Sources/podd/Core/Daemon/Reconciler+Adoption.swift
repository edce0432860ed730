import Cgroup
import Glibc
import Linux
import PodModel
import PodStore
import Systemd
import Time

/// What a new podd does with each scope that it finds: a pod takes it over, or it is stopped.
extension Reconciler {
  /// Returns false when it cannot be taken over: it has ended, or the pod has no place for it.
  func adopt(
    _ pod: Pod, _ record: GenerationRecord, _ launched: WorkloadVersion?, as position: Lifecycle.Position
  ) async -> Bool {
    guard record.bootID == nil || record.bootID == ProcessIdentity.bootID,
      let scope = find(record, launched, tier: pod.record.tier)
    else { return false }
    let tier = host.configuration.policy(ofTier: pod.record.tier)
    // The workload as it was launched, whatever the files say by now; where that is not on record, they have to do.
    let source =
      launched.flatMap(self.source) ?? tier.flatMap { try? host.configuration.workloadSource(of: $0) }
    do throws(Errno) {
      // A podd that did not limit this may have launched it.
      try BindGuard.cover(scope, of: pod.record)
    } catch {
      Log.warning("\(scope.unit): the kernel does not limit what the pod binds: \(error)")
    }
    guard pod.adopt(scope, record, as: position, tier: tier, source: source) else { return false }
    loopTask { await pod.checkDeliveredUsers() }
    if position == .current { resumeService(of: pod, scope, source) }
    return true
  }

  private func resumeService(of pod: Pod, _ scope: RunningScope, _ source: WorkloadSource?) {
    do throws(Errno) {
      try NSSRecords.publish(UserDatabaseRecord(pod: pod.name, uid: pod.record.uid))
    } catch {
      Log.warning("\(pod.name): \(error)")
    }
    if source?.workload.listen == .socket {
      host.sockets.recover(pod.name, pid: scope.pid, address: pod.record.address, port: pod.record.port)
    }
  }

  private func source(_ version: WorkloadVersion) -> WorkloadSource? {
    if let known = sources.byVersion[version] { return known }
    let source = try? WorkloadSource(version)
    sources.byVersion[version] = source
    return source
  }

  /// The generation as it runs; nil when it does not, or another process has its pid.
  private func find(
    _ record: GenerationRecord, _ launched: WorkloadVersion?, tier: String
  ) -> RunningScope? {
    let path = Launcher.cgroupPath(record.unit, tier: tier)
    guard let pid = mainProcess(record, path, launched), let ticks = ProcessIdentity.startTicks(of: pid)
    else {
      return nil
    }
    guard let pidfd = ProcessIdentity.open(pid, startTicks: ticks), ProcessIdentity.cgroup(of: pid) == path
    else { return nil }
    let cgroup: Cgroup
    do throws(CgroupError) { cgroup = try Cgroup(path: path) } catch { return nil }
    return RunningScope(
      unit: record.unit, pid: pid, startTicks: ticks, pidfd: pidfd, cgroup: cgroup, adopted: true)
  }

  /// The recorded process if it is still the same one. Without a record, because podd ended during the launch, the one
  /// process of the scope whose parent is outside.
  func mainProcess(_ record: GenerationRecord, _ path: String, _ launched: WorkloadVersion?) -> pid_t? {
    if let pid = record.mainPID {
      if ProcessIdentity.startTicks(of: pid) == record.mainStartTicks,
        ProcessIdentity.cgroup(of: pid) == path
      {
        return pid
      }
      // With several processes, any of them can take the main one's place.
      let workers = launched.flatMap(source)?.workload.workers ?? .fixed(1)
      guard workers != .fixed(1) else { return nil }
    }
    guard let processes = try? Cgroup(path: path).processes() else { return nil }
    let members = Set(processes)
    return processes.first { pid in
      ProcessIdentity.parent(of: pid).map { !members.contains($0) } ?? false
    }
  }

  // MARK: Stray scopes

  /// Stops a scope that no pod can take over, and records its end when no process of it is left. Only its own pod waits
  /// for that.
  func clear(_ unit: UnitName, end reason: EndReason?) {
    host.strayScopes.add(unit) {
      await self.stop(unit)
      if let reason {
        self.endUnseen(unit, reason)
        return
      }
      self.host.report(.orphanStopped(unit))
    }
  }

  private func stop(_ unit: UnitName) async {
    while true {
      await host.systemdConnection.available()
      do throws(BusError) {
        _ = try await host.systemd.stopUnit(unit.description)
        break
      } catch {
        if !error.isUnreachable {
          Log.warning("\(unit): cannot be stopped: \(error.message)")
          break
        }
      }
      // The connection was lost during the call, and nothing but its return reports that the call can be repeated.
      await EventLoop.main.sleep(.milliseconds(100))
    }
    guard let path = cgroupPath(unit) ?? LiveScopes.paths()[unit] else { return }
    let events = CgroupEvents(path: path)
    guard events.isPopulated else { return }
    // Kills what systemd's job left behind.
    if let cgroup = try? Cgroup(path: path) { try? cgroup.write(InterfaceFile.kill, "1") }
    events.watch()
    await events.untilEmpty()
  }

  /// A main process that somebody moved out of its scope has no limits any more, and would live on next to its successor.
  func killEscaped(_ record: GenerationRecord) {
    guard record.bootID == ProcessIdentity.bootID, let pid = record.mainPID,
      let ticks = record.mainStartTicks, let pidfd = ProcessIdentity.open(pid, startTicks: ticks),
      !ProcessIdentity.isZombie(pid)
    else { return }
    Log.warning("\(record.unit): process \(pid) lives outside its scope and is killed.")
    PIDFD.send(SIGKILL, to: pidfd)
  }
}
