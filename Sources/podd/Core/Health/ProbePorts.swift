import PodModel

/// The local ports of podd's recent probes of a pod: the kernel remembers a connection for a minute after its end, and a
/// probe must not count as a user.
struct ProbePorts {
  /// A little longer than TIME_WAIT lasts, microseconds.
  private static let remembered: UInt64 = 65_000_000

  private var asked: [(port: UInt16, until: UInt64)] = []

  /// - Parameters:
  ///   - now: By a clock that never goes back.
  ///   - patience: How long the probe may stay open, microseconds.
  mutating func add(_ port: UInt16, at now: UInt64, patience: UInt64) {
    asked.removeAll { $0.until < now }
    asked.append((port, now.after(patience).after(Self.remembered)))
  }

  func contains(_ port: UInt16) -> Bool { asked.contains { $0.port == port } }
}
