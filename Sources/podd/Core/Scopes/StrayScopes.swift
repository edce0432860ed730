import PodModel
import Systemd

/// Scopes that nobody takes over, while they are being stopped: that takes as long as their TimeoutStopSec=, and nobody
/// waits for it but their own pods.
@LoopActor
final class StrayScopes {
  private var tasks: [String: Task<Void, Never>] = [:]

  /// Of pods, whether they are on record or not.
  var units: Set<UnitName> { Set(tasks.keys.compactMap { UnitName($0) }) }

  func contains(_ unit: UnitName) -> Bool { tasks[unit.description] != nil }

  /// Does nothing for one that is being stopped already. `stop` returns when nothing of the unit is left.
  func add(_ unit: String, stop: @escaping @LoopActor () async -> Void) {
    guard tasks[unit] == nil else { return }
    tasks[unit] = loopTask {
      await stop()
      self.tasks[unit] = nil
    }
  }

  /// Returns when nothing of the pod's is left.
  func waitUntilGone(_ pod: PodName) async {
    while let task = tasks.first(where: { UnitName($0.key)?.pod == pod })?.value { await task.value }
  }
}
