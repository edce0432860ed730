import PodAPI
import PodModel
import PodStore
import Systemd
import Time

/// Records the versions of workload files with which pods have served, so that a rollout can go back to one of them.
@LoopActor
final class WorkloadVersions {
  /// A version is good when a generation has been ready with it for this long.
  private static let proof: Microseconds = .seconds(10)

  private let configuration: Configuration
  private let records: Records
  /// The version that was recorded last, by workload.
  private var noted: [String: String] = [:]

  init(_ configuration: Configuration, _ records: Records) {
    self.configuration = configuration
    self.records = records
  }

  /// Called once, at podd's start.
  func load() async throws(StoreError) {
    let reverts = try await records.store.run { store throws(StoreError) in try store.revertedWorkloads() }
    for revert in reverts { configuration.revert(revert.rejected, to: revert.good) }
  }

  /// A generation is ready. Its version is recorded as good when it has stayed ready.
  func served(_ generation: Generation, of pod: Pod) {
    guard let source = generation.source, noted[source.workload.name] != source.version else { return }
    loopTask { [weak pod] in
      await EventLoop.main.sleep(Self.proof)
      guard let pod, pod.current === generation, pod.state == .ready else { return }
      self.note(source)
    }
  }

  private func note(_ source: WorkloadSource) {
    guard noted[source.workload.name] != source.version else { return }
    noted[source.workload.name] = source.version
    let record = source.record
    let now = Clock.wall
    records.write("the version of \(record.workload)") { store throws(StoreError) in
      try store.workloadServed(record, now: now)
    }
  }

  /// Uses what the files say, also where an admin went back from it.
  func takeFiles(workload name: String) async throws(Refusal) {
    guard configuration.isReverted(name) else { return }
    try await records.ask { store throws(StoreError) in try store.forgetRevert(ofWorkload: name) }
    configuration.endRevert(of: name)
  }

  /// Goes back to the version that served before what the files say now.
  func revert(workload name: String) async throws(Refusal) {
    let onDisk = configuration.versionOnDisk(ofWorkload: name) ?? ""
    let good = try await records.ask { store throws(StoreError) -> WorkloadVersion? in
      guard let good = try store.workload(name, before: onDisk) else { return nil }
      try store.revertWorkload(onDisk, to: good)
      return good
    }
    guard let good else {
      throw Refusal(
        .invalidSettings,
        "no other version of the workload \(name) has served a pod here, so there is nothing to go back to")
    }
    configuration.revert(onDisk, to: good)
    noted[name] = nil
    Log.notice(
      "The workload \(name) is used as it was before its files were changed, until they are changed again.")
  }
}
