import Glibc
import PodModel
import PodStore
import Systemd
import Time

/// Notes which pods had a connection lately. The kernel remembers ended connections for a minute (TIME_WAIT).
@LoopActor
final class EndedConnections {
  private unowned let host: PodHost
  /// When the kernel was asked last.
  private var notedAt: LoopTime?

  init(_ host: PodHost) { self.host = host }

  /// Notes for each pod when its last connection ended. False when the kernel does not tell.
  ///
  /// - Parameter maxAge: an earlier result that is no older is good enough.
  @discardableResult
  func note(maxAge: Microseconds) -> Bool {
    let now = EventLoop.main.now()
    if let notedAt, now < notedAt + maxAge { return true }
    let pods = Dictionary(
      host.pods.values.map { (UInt16(clamping: $0.record.port), $0) }, uniquingKeysWith: { first, _ in first }
    )
    guard
      let ends = try? Connections.lastEndsOfAllPods(except: { port, remote in
        LoopActor.assumeIsolated { pods[port]?.probePorts.contains(remote) ?? true }
      })
    else { return false }
    notedAt = now
    for (port, ago) in ends { pods[port]?.noteUse(at: now - ago) }
    return true
  }
}
