/// Since when a pod has done nothing for anybody, from looks that are seconds apart. Times are microseconds by the
/// caller's clock.
public struct Idleness: Sendable, Equatable {
  /// The share of one CPU below which a pod counts as idle: more than a probe every few seconds and a runtime's own
  /// timers take, less than a request a second.
  public static let cpuShare = 0.01

  /// When it was last not idle, as far as looks show it.
  public private(set) var activeAt: UInt64
  private var last: (at: UInt64, cpuUSec: UInt64)?

  /// A generation that has just begun to serve, or was found running, counts as active.
  public init(now: UInt64) { activeAt = now }

  /// - Parameters:
  ///   - cpuUSec: cpu.stat's `usage_usec`; nil when it cannot be read, and then nothing is concluded.
  ///   - connections: Those that are open now; nil when nobody counted.
  public mutating func note(cpuUSec: UInt64?, connections: Int?, now: UInt64) {
    if connections ?? 0 > 0 { activeAt = now }
    guard let cpuUSec else { return }
    if let last, last.cpuUSec <= cpuUSec {
      // Two looks in quick succession say little: a second's worth is what one may have used between them.
      let passed = max(now - min(now, last.at), 1_000_000)
      if Double(cpuUSec - last.cpuUSec) >= Double(passed) * Self.cpuShare { activeAt = now }
    }
    last = (now, cpuUSec)
  }

  /// Somebody was served until `end`.
  public mutating func note(connectionEnded end: UInt64) {
    activeAt = max(activeAt, end)
  }

  public static func == (left: Idleness, right: Idleness) -> Bool {
    left.activeAt == right.activeAt && left.last?.at == right.last?.at
      && left.last?.cpuUSec == right.last?.cpuUSec
  }
}
