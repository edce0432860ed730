import Linux
import PodModel
import PodStore
import Systemd
import Time

/// How a generation gives way without a request being lost: connections are held off, counted and waited for.
extension Generation {
  /// A program that binds by itself is waited for before it is stopped.
  func drain() {
    loopTask { await self.drainConnections() }
  }

  private func drainConnections() async {
    let patience = workload?.timeoutDrain ?? Workload.defaultTimeoutDrain
    let deadline = EventLoop.main.now() + patience
    await pod.holdConnections(timeout: patience)
    guard isDraining else { return }
    // Long enough for the drain, the stop and the next start; if podd ended now, the hold would still end.
    let bound = patience + (workload?.timeoutStop ?? .zero) + (workload?.timeoutStart ?? .zero)
    let record = pod.record
    if !(await host.firewall.hold(name, address: record.address, port: record.port, timeout: bound)) {
      Log.warning("\(name): new connections cannot be held off while it drains; some may be refused")
    }
    guard isDraining else {
      // The drain was over before the hold was in force, so the release may have come first.
      if pod.heldSince == nil { await host.firewall.release(name) }
      return
    }
    let left = await waitForConnections(until: deadline)
    guard isDraining else { return }
    if left > 0 { cut(left, after: patience) }
    report(.drained)
  }

  private var isDraining: Bool { isCurrent && pod.state == .draining }

  /// How many connections are left when the time is over. Nothing reports that a connection has ended: they are counted
  /// again and again.
  private func waitForConnections(until deadline: LoopTime) async -> Int {
    var pauses = DoublingPause(first: .milliseconds(2), longest: .milliseconds(100))
    while isDraining {
      let count: Int
      do throws(Errno) {
        count = try pod.usersConnections().count
      } catch {
        Log.warning("\(name): \(error); it is stopped without waiting for its connections")
        return 0
      }
      let now = EventLoop.main.now()
      if count == 0 || now >= deadline { return count }
      await EventLoop.main.sleep(min(pauses.next(), deadline - now))
    }
    return 0
  }

  private func cut(_ count: Int, after patience: Microseconds) {
    cutConnections = count
    host.report(.drainCut(pod.subject, connections: count, after: patience))
  }

  /// While systemd waits for a program that it has asked to stop: whatever is open when its patience ends is cut.
  func watchConnections() {
    guard let scope else { return }
    loopTask { await self.countConnections(until: scope) }
  }

  /// The last count is a moment before the end of systemd's patience, more than a timer may be late: nothing can be
  /// counted of a program that systemd has killed. Nothing reports that a connection has ended, so this counts again
  /// and again.
  private func countConnections(until scope: RunningScope) async {
    let patience = workload?.timeoutStop ?? Workload.defaultTimeout
    let deadline = EventLoop.main.now() + (patience - min(patience / 10, .milliseconds(100)))
    var left = 0
    var pauses = DoublingPause(first: .milliseconds(20), longest: .milliseconds(500))
    while scope.isPopulated {
      let now = EventLoop.main.now()
      if now >= deadline { break }
      // Most programs have ended by then, and nobody needs the count.
      await EventLoop.main.sleep(min(pauses.next(), deadline - now))
      left = await openConnections() ?? left
    }
    if EventLoop.main.now() >= deadline && left > 0 { cut(left, after: patience) }
  }

  /// The connections that a generation which is being stopped has not finished; nil when the kernel does not tell.
  private func openConnections() async -> Int? {
    guard let scope, let all = try? pod.usersConnections() else { return nil }
    // A walk over a program's descriptors takes time: only where another generation has connections too.
    if all.isEmpty || pod.current == nil || pod.other == nil { return all.count { $0.isAccepted } }
    guard let sockets = await Connections.sockets(of: scope.processes) else { return nil }
    return Connections.owned(all, by: sockets).count
  }
}
