import PodModel

/// From which local ports podd asked a pod of late: the kernel remembers a connection for a minute after its end, and
/// nobody is to take podd's questions for users.
struct ProbePorts {
  /// A little longer than TIME_WAIT lasts, microseconds.
  private static let remembered: UInt64 = 65_000_000

  private var asked: [(port: UInt16, until: UInt64)] = []

  /// - Parameters:
  ///   - now: By a clock that never goes back.
  ///   - patience: How long the question may stay open, microseconds.
  mutating func add(_ port: UInt16, at now: UInt64, patience: UInt64) {
    asked.removeAll { $0.until < now }
    asked.append((port, now.after(patience).after(Self.remembered)))
  }

  func contains(_ port: UInt16) -> Bool { asked.contains { $0.port == port } }
}
