import Systemd

/// PID 1, over the connection to the bus that podd has now. A lost connection is followed by another one.
@LoopActor
final class SystemdConnection {
  private(set) var manager: SystemdManager
  private var isLost = false
  private var waiting: [UnsafeContinuation<Void, Never>] = []

  init(_ manager: SystemdManager) {
    self.manager = manager
  }

  /// The bus came back: calls go over the new connection.
  func restored(_ manager: SystemdManager) {
    self.manager = manager
    isLost = false
    let callers = waiting
    waiting = []
    for continuation in callers { continuation.resume() }
  }

  func lost() {
    isLost = true
    manager.connectionLost()
  }

  /// Returns at once while the bus is there, else when it is back.
  func available() async {
    if isLost { await withUnsafeContinuation { waiting.append($0) } }
  }
}
