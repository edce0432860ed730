public import Time

/// Since when a pod has served nobody, worked out from samples that are seconds apart.
public struct Idleness: Sendable, Equatable {
  /// A pod that uses less than this share of one CPU counts as idle. It is more than a probe every few seconds and a
  /// runtime's own timers use, and less than one request per second uses.
  public static let cpuShare = 0.01

  /// When the pod was last active, as far as the samples show.
  public private(set) var activeAt: LoopTime
  /// When a user last had a connection to it, or it began to serve. Work of its own is no use.
  public private(set) var usedAt: LoopTime
  private var last: (at: LoopTime, cpu: Microseconds)?

  /// A generation that has just begun to serve, or was adopted, counts as active.
  public init(now: LoopTime) {
    activeAt = now
    usedAt = now
  }

  /// Takes one sample.
  ///
  /// - Parameters:
  ///   - cpu: `usage_usec` of cpu.stat; nil when it cannot be read, which proves nothing.
  ///   - connections: Number of open connections; nil when they were not counted.
  public mutating func note(cpu: Microseconds?, connections: Int?, now: LoopTime) {
    if let connections, connections > 0 { note(usedAt: now) }
    guard let cpu else { return }
    if let last, last.cpu <= cpu {
      // Two samples in quick succession prove little, so at least one second counts as passed.
      let passed = max(now - last.at, .seconds(1))
      if cpu - last.cpu >= passed.scaled(by: Self.cpuShare) { activeAt = now }
    }
    last = (now, cpu)
  }

  /// Records that a connection was served until then, or that the pod began to serve, because somebody wants it.
  public mutating func note(usedAt time: LoopTime) {
    activeAt = max(activeAt, time)
    usedAt = max(usedAt, time)
  }

  public static func == (left: Idleness, right: Idleness) -> Bool {
    left.activeAt == right.activeAt && left.usedAt == right.usedAt && left.last?.at == right.last?.at
      && left.last?.cpu == right.last?.cpu
  }
}
