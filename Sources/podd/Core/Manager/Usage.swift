import Cgroup
import PodAPI
import PodModel
import PodStore
import Systemd
import Time

/// Memory, pressure and CPU of every pod, for `podctl top`.
@LoopActor
final class Usage {
  /// A pod's files are read at most this often, however many clients ask.
  private static let maxAge: Microseconds = .seconds(1)
  /// After so many pods, other events of the loop are handled first.
  private static let podsAtATime = 32

  private unowned let host: PodHost
  private var readings: [PodName: Reading] = [:]

  private struct Reading {
    let at: LoopTime
    let generation: Int
    let current: UInt64?
    let pressure: UInt32?
    let cpu: Microseconds?
  }

  init(host: PodHost) {
    self.host = host
  }

  /// One row for each pod, sorted by name.
  func rows() async -> [UsageRow] {
    readings = readings.filter { host.pods[$0.key] != nil }
    var limits: [String: (max: UInt64?, high: UInt64?)] = [:]
    var rows: [UsageRow] = []
    for (count, pod) in host.pods.values.sorted(by: { $0.name < $1.name }).enumerated() {
      if count % Self.podsAtATime == Self.podsAtATime - 1 { await EventLoop.main.sleep(Microseconds(1)) }
      let name = pod.record.tier
      if limits[name] == nil {
        let tier = host.configuration.policy(ofTier: name)
        limits[name] = (tier?.memoryMax, tier?.memoryHigh)
      }
      rows.append(row(pod, limits[name] ?? (nil, nil)))
    }
    return rows
  }

  private func row(_ pod: Pod, _ limit: (max: UInt64?, high: UInt64?)) -> UsageRow {
    var row = UsageRow(pod: pod.name.description, tier: pod.record.tier, state: pod.state.rawValue)
    row.memoryMax = limit.max
    row.memoryHigh = limit.high
    row.restarts = pod.lifecycle.restarts
    row.users = UInt32(clamping: pod.record.users)
    row.generation = UInt64(max(0, pod.machine.lastGeneration))
    if let scope = pod.scope {
      let reading = reading(pod.name, scope)
      row.memoryCurrent = reading.current
      row.memoryAnon = pod.memory(maxAge: host.settings.memorySampleInterval)?.anon
      row.pressure = reading.pressure
      row.cpuUsage = reading.cpu
      row.readAt = reading.at
    }
    return row
  }

  private func reading(_ name: PodName, _ scope: RunningScope) -> Reading {
    let now = EventLoop.main.now()
    if let last = readings[name], last.generation == scope.unit.generation, last.at + Self.maxAge > now {
      return last
    }
    let pressure = scope.read(InterfaceFile.memoryPressure).flatMap {
      try? CgroupFiles.pressure($0).some.avg10
    }
    let new = Reading(
      at: now, generation: scope.unit.generation, current: scope.number(InterfaceFile.memoryCurrent),
      pressure: pressure.map { UInt32(($0 * 100).rounded()) },
      cpu: scope.cpuUsage)
    readings[name] = new
    return new
  }
}
