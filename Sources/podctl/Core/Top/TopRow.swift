internal import PodAPI
internal import PodModel
internal import Time

/// One pod in `podctl top`.
struct TopRow {
  let usage: UsageRow
  /// CPU usage between the last two samples, in percent of one CPU; nil until there are two samples.
  let cpu: Double?
  /// nil where no front door has reported.
  var requests: TopRequests?

  /// For sorting: `pod-1000` comes after `pod-999`, and anything else than a pod's name comes last.
  var number: Int { PodName(usage.pod)?.number ?? .max }

  /// The memory at which the pod stalls or is killed: the lower of MemoryHigh= and MemoryMax=.
  var limit: UInt64? { [usage.memoryMax, usage.memoryHigh].compactMap { $0 }.min() }

  /// Memory in use, in percent of MemoryMax=.
  var memoryPercent: Double? {
    guard let current = usage.memoryCurrent, let most = usage.memoryMax, most > 0 else { return nil }
    return Double(current) / Double(most) * 100
  }
}

/// The last sample of each pod, from which the next one gives the CPU usage.
struct TopReadings {
  private struct Reading {
    let generation: UInt64
    let at: LoopTime
    let cpu: Microseconds
    let percent: Double?
  }

  private var last: [String: Reading] = [:]
  private var requests = RequestReadings()

  /// Rows without CPU usage, because there are no earlier samples.
  static func first(_ usages: [UsageRow]) -> [TopRow] { usages.map { TopRow(usage: $0, cpu: nil) } }

  /// The rows of new samples, with what is known of the pods' requests. Pods that no longer exist are forgotten.
  mutating func rows(_ usages: [UsageRow], _ counted: CountedRequests? = nil) -> [TopRow] {
    requests.add(counted)
    var next: [String: Reading] = [:]
    next.reserveCapacity(usages.count)
    let rows = usages.map { usage in
      let requests = requests.requests(ofPod: usage.pod)
      guard let at = usage.readAt, let cpu = usage.cpuUsage else {
        return TopRow(usage: usage, cpu: nil, requests: requests)
      }
      let percent = last[usage.pod].flatMap { Self.percent($0, usage.generation, at, cpu) }
      next[usage.pod] = Reading(generation: usage.generation, at: at, cpu: cpu, percent: percent)
      return TopRow(usage: usage, cpu: percent, requests: requests)
    }
    last = next
    return rows
  }

  private static func percent(
    _ last: Reading, _ generation: UInt64, _ at: LoopTime, _ cpu: Microseconds
  ) -> Double? {
    // The counter starts at zero in each generation, and after a boot of the host.
    guard last.generation == generation, at >= last.at, cpu >= last.cpu else { return nil }
    // podd samples each pod at most once a second, so the same sample may come twice.
    return at == last.at ? last.percent : (cpu - last.cpu).share(of: at - last.at) * 100
  }
}
