internal import PodAPI
internal import PodModel

/// One pod in `podctl top`.
struct TopRow {
  let usage: UsageRow
  /// CPU time for time, in percent of one CPU, between its last two readings; nil before there are two.
  let cpu: Double?

  /// `pod-1000` comes after `pod-999`; what is no pod's name comes last.
  var number: Int { PodName(usage.pod)?.number ?? .max }

  /// What it may use before it stalls or dies: the lower of its limits.
  var limit: UInt64? { [usage.memoryMax, usage.memoryHigh].compactMap { $0 }.min() }

  /// Memory in use, in percent of MemoryMax=.
  var memoryPercent: Double? {
    guard let current = usage.memoryCurrent, let most = usage.memoryMax, most > 0 else { return nil }
    return Double(current) / Double(most) * 100
  }
}

/// What was read last, so that the next reading tells what a pod does now.
struct TopReadings {
  private struct Reading {
    let generation: UInt64
    let at: UInt64
    let cpu: UInt64
    let percent: Double?
  }

  private var last: [String: Reading] = [:]

  /// Rows without anything to compare them with.
  static func first(_ usages: [UsageRow]) -> [TopRow] { usages.map { TopRow(usage: $0, cpu: nil) } }

  /// The rows of a new reading. Pods that are gone are forgotten.
  mutating func rows(_ usages: [UsageRow]) -> [TopRow] {
    var next: [String: Reading] = [:]
    next.reserveCapacity(usages.count)
    let rows = usages.map { usage in
      guard let at = usage.readAt, let cpu = usage.cpuUsage else { return TopRow(usage: usage, cpu: nil) }
      let percent = last[usage.pod].flatMap { Self.percent($0, usage.generation, at, cpu) }
      next[usage.pod] = Reading(generation: usage.generation, at: at, cpu: cpu, percent: percent)
      return TopRow(usage: usage, cpu: percent)
    }
    last = next
    return rows
  }

  private static func percent(_ last: Reading, _ generation: UInt64, _ at: UInt64, _ cpu: UInt64) -> Double? {
    // Another generation counts from nothing; so does a host that was booted meanwhile.
    guard last.generation == generation, at >= last.at, cpu >= last.cpu else { return nil }
    // podd reads a pod once a second at most: the same reading again says the same.
    return at == last.at ? last.percent : Double(cpu - last.cpu) / Double(at - last.at) * 100
  }
}
