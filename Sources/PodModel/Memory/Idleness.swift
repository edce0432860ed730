/// Since when a pod has served nobody, worked out from samples that are seconds apart. Times are microseconds by the
/// caller's clock.
public struct Idleness: Sendable, Equatable {
  /// A pod that uses less than this share of one CPU counts as idle. It is more than a probe every few seconds and a
  /// runtime's own timers use, and less than one request per second uses.
  public static let cpuShare = 0.01

  /// When the pod was last active, as far as the samples show.
  public private(set) var activeAt: UInt64
  private var last: (at: UInt64, cpuUSec: UInt64)?

  /// A generation that has just begun to serve, or was adopted, counts as active.
  public init(now: UInt64) { activeAt = now }

  /// Takes one sample.
  ///
  /// - Parameters:
  ///   - cpuUSec: `usage_usec` of cpu.stat; nil when it cannot be read, which proves nothing.
  ///   - connections: Number of open connections; nil when they were not counted.
  public mutating func note(cpuUSec: UInt64?, connections: Int?, now: UInt64) {
    if connections ?? 0 > 0 { activeAt = now }
    guard let cpuUSec else { return }
    if let last, last.cpuUSec <= cpuUSec {
      // Two samples in quick succession prove little, so at least one second counts as passed.
      let passed = max(now - min(now, last.at), 1_000_000)
      if Double(cpuUSec - last.cpuUSec) >= Double(passed) * Self.cpuShare { activeAt = now }
    }
    last = (now, cpuUSec)
  }

  /// Records that a connection was served until `end`.
  public mutating func note(connectionEnded end: UInt64) {
    activeAt = max(activeAt, end)
  }

  public static func == (left: Idleness, right: Idleness) -> Bool {
    left.activeAt == right.activeAt && left.last?.at == right.last?.at
      && left.last?.cpuUSec == right.last?.cpuUSec
  }
}
