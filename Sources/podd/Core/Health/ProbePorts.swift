import PodModel
import Time

/// The local ports of podd's recent probes of a pod: the kernel remembers a connection for a minute after its end, and a
/// probe must not count as a user.
struct ProbePorts {
  /// A little longer than TIME_WAIT lasts.
  private static let remembered: Microseconds = .seconds(65)

  private var asked: [(port: UInt16, until: LoopTime)] = []

  /// - Parameter patience: How long the probe may stay open.
  mutating func add(_ port: UInt16, at now: LoopTime, patience: Microseconds) {
    asked.removeAll { $0.until < now }
    asked.append((port, now + patience + Self.remembered))
  }

  func contains(_ port: UInt16) -> Bool { asked.contains { $0.port == port } }
}
