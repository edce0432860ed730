import Cgroup
import Glibc
import PodModel
import PodStore
import Systemd
import Time

/// Processes of pod-launch: a generation's first one, its workers, and the command of ExecReload=.
extension Launcher {
  func plan(_ request: Request) -> LaunchPlan {
    let expanded = request.workload.expand(request.placeholders)
    return LaunchPlan.compose(
      unit: request.unit, tier: request.tier, workload: request.workload, uid: request.record.uid,
      command: expanded.execStart, environment: expanded.environment, names: request.placeholders,
      host: Self.layout)
  }

  /// Another process of the same program, parked until it may ``enter(_:_:patience:)`` the scope.
  func spawnWorker(_ request: Request) throws(LaunchFailure) -> LaunchProcess {
    let listening = try sockets.socket(for: request.record)
    return try LaunchProcess.spawn(launchProgram, plan: plan(request), listening: listening)
  }

  /// Lets a parked process begin in a scope that runs. On failure nothing is left of the process.
  func enter(
    _ process: LaunchProcess, _ scope: RunningScope, patience: Microseconds
  ) async throws(LaunchFailure) {
    do throws(LaunchFailure) {
      do throws(CgroupError) {
        try scope.attach(process.pid)
      } catch {
        throw LaunchFailure(stage: .cgroup, error: "EIO")
      }
      try await begin(process, patience: patience)
    } catch {
      await abandon(process)
      throw error
    }
  }

  func begin(_ process: LaunchProcess, patience: Microseconds) async throws(LaunchFailure) {
    do throws(LaunchFailure) {
      try process.release()
    } catch {
      // It has ended before, and its message says why.
      try await process.waitForProgram(timeout: .seconds(1))
      throw error
    }
    try await process.waitForProgram(timeout: patience)
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
      host: Self.layout)
    let patience = request.workload.timeoutStart
    let process = try LaunchProcess.spawn(launchProgram, plan: plan, listening: nil)
    try await enter(process, scope, patience: patience)
    let reason = await end(of: process, timeout: patience)
    if reason != .exited(0) {
      throw LaunchFailure(stage: .reload, error: ErrnoName(rawValue: reason?.description ?? "ETIMEDOUT"))
    }
  }

  /// It runs no program any more, so nothing depends on its end.
  private static var patienceWithKilled: Microseconds { .seconds(10) }

  /// How a process ended, whose zombie goes with this call; nil when it was killed because it took too long.
  func end(of process: LaunchProcess, timeout: Microseconds) async -> EndReason? {
    let inTime = await EventLoop.main.wait(
      descriptor: process.pidfd.raw, events: PollEvents.input, timeout: timeout)
    if inTime == 0 {
      process.cancel()
      await Reaper.end(of: process.pid, pidfd: process.pidfd, patience: Self.patienceWithKilled)
      return nil
    }
    guard let exit = RunningScope.reap(process.pid) else { return nil }
    return EndReason(exit)
  }
}
