import PodModel
import Systemd

/// Scopes that no pod can take over, while they are being stopped. That may take as long as their TimeoutStopSec=, and only
/// their own pods wait for it.
@LoopActor
final class StrayScopes {
  private var tasks: [UnitName: Task<Void, Never>] = [:]

  /// Their units, whether they are on record or not.
  var units: Set<UnitName> { Set(tasks.keys) }

  func contains(_ unit: UnitName) -> Bool { tasks[unit] != nil }

  /// Calls `stop`, which returns when no process of the unit is left, unless the unit is being stopped already.
  func add(_ unit: UnitName, stop: @escaping @LoopActor () async -> Void) {
    guard tasks[unit] == nil else { return }
    tasks[unit] = loopTask {
      await stop()
      self.tasks[unit] = nil
    }
  }

  /// Returns when no stray scope of the pod is left.
  func waitUntilGone(_ pod: PodName) async {
    while let task = tasks.first(where: { $0.key.pod == pod })?.value { await task.value }
  }
}
