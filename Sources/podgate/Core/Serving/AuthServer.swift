import CLinux
import Glibc
import Systemd
import Time

/// Accepts nginx's connections, a bounded number at a time; more wait in the kernel.
@LoopActor
final class AuthServer {
  /// nginx keeps 64 idle ones for each of its processes, and has one more for each request that is being decided.
  private static let mostConnections = 2048

  private let listener: CInt
  private var accepting: EventSource?
  private var connections: [CInt: AuthConnection] = [:]
  private let watching: ConnectionSet
  private let figures: GateFigures
  private let judge: @LoopActor (AuthRequest, AuthConnection) -> Void

  init(
    listener: CInt, figures: GateFigures, judge: @escaping @LoopActor (AuthRequest, AuthConnection) -> Void
  ) throws(Errno) {
    self.listener = listener
    self.figures = figures
    self.judge = judge
    watching = try ConnectionSet()
    _ = fcntl(listener, F_SETFL, O_NONBLOCK)
    accepting = try EventSource.io(EventLoop.main, descriptor: listener, events: PollEvents.input) {
      [weak self] _ in
      LoopActor.assumeIsolated { self?.accept() }
    }
  }

  private func accept() {
    while connections.count < Self.mostConnections {
      let descriptor = linux_accept(listener)
      guard descriptor >= 0 else {
        if errno != EAGAIN && errno != EINTR && errno != ECONNABORTED { pause(Errno.last("accept")) }
        break
      }
      do throws(Errno) {
        connections[descriptor] = try AuthConnection(
          descriptor, in: watching, figures: figures, judge: judge, onEnd: { [weak self] in self?.ended($0) })
      } catch {
        GateLog.error("A connection cannot be watched: \(error)")
      }
    }
    if connections.count >= Self.mostConnections { accepting?.setEnabled(false) }
  }

  /// The host lacks memory or descriptors: without a pause, the waiting connection would keep the loop busy.
  private func pause(_ error: Errno) {
    GateLog.error("A connection cannot be accepted: \(error); trying again in a second.")
    accepting?.setEnabled(false)
    loopTask {
      await EventLoop.main.sleep(.seconds(1))
      self.accepting?.setEnabled(true)
    }
  }

  private func ended(_ connection: AuthConnection) {
    connections[connection.descriptor] = nil
    accepting?.setEnabled(true)
  }
}
