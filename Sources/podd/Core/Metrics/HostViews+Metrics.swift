import Glibc
import Linux
import PodAPI
import PodModel
import PodStore
import Systemd
import Time

extension HostViews {
  func metrics(startedAt: WallTime) async throws(Refusal) -> HostMetrics {
    host.dataTotals.refresh()
    let totals = try await host.ask { store throws(StoreError) in try store.totals() }
    var metrics = HostMetrics(version: Release.version, startedAt: startedAt)
    (metrics.memory, metrics.cpu) = (Self.residentMemory, Self.cpuUsage)
    let pods = host.pods.values
    // Also tiers whose files are gone while they still have pods or users.
    let tiers = Set(host.configuration.tierNames()).union(pods.map(\.record.tier)).union(totals.users.keys)
    metrics.tiers = tiers.sorted().map { tier($0, totals) }
    metrics.wakes = host.figures.wakes
    metrics.leaking = pods.filter { $0.current?.memory?.finding.isLeak ?? false }.map(\.name).sorted()
      .map(\.description)
    metrics.waitingForHost = hostFaults().reduce(0) { $0 + UInt64($1.pods.count) }
    metrics.settingsMistakes = UInt64(host.configuration.mistakes.count)
    (metrics.diskSize, metrics.diskAvailable) = (totals.diskSize, totals.diskAvailable)
    return metrics
  }

  private func tier(_ name: String, _ totals: StoreTotals) -> HostMetrics.Tier {
    var tier = HostMetrics.Tier(name: name, launches: host.figures.launches(ofTier: name))
    tier.usersPerPod = UInt64(clamping: host.configuration.policy(ofTier: name)?.usersPerPod ?? 0)
    for status in UserRecord.Status.allCases {
      tier.users[status.rawValue] = totals.users[name]?[status] ?? 0
    }
    tier.data = host.dataTotals.byTier.map { $0[name] ?? HostMetrics.Data() }
    tier.ends = host.figures.ends(ofTier: name)
    return tier
  }

  private static var residentMemory: UInt64? {
    // proc_pid_statm(5): size, resident, … in pages.
    let fields = readSmallFile("/proc/self/statm")?.split(separator: " ") ?? []
    return fields.dropFirst().first.flatMap { UInt64($0) }.map { $0 * UInt64(sysconf(CInt(_SC_PAGESIZE))) }
  }

  private static var cpuUsage: Microseconds? {
    var time = timespec()
    guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return nil }
    return .seconds(UInt64(time.tv_sec)) + Microseconds(UInt64(time.tv_nsec / 1000))
  }
}
