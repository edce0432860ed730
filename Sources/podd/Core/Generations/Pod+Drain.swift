import Glibc
import PodModel
import PodStore
import Systemd

/// How a generation gives way without a request being lost: connections are held off, counted and waited for.
extension Pod {
  /// How the running generation can be replaced.
  var handover: Lifecycle.Handover {
    guard let current, let workload = current.workload else { return .queue }
    if workload.listen == .port { return .drain }
    return current.overlaps(with: nextWorkload) ? .overlap : .queue
  }

  /// What the next generation would be launched with; nil when the settings do not parse.
  var nextWorkload: Workload? {
    (try? host.configuration.tier(record.tier)).flatMap { try? host.configuration.workload(of: $0.tier) }
  }

  /// A program that binds by itself is waited for before it is stopped, too: it may be in the middle of a write.
  func stopGracefully(_ reason: EndReason, then next: Lifecycle.AfterStop) {
    handle(.stop(reason, then: next, drains: drains))
  }

  /// Of a generation that was taken over. podd may have ended after it was told to go, or before it could tell it.
  func resumeStop() {
    guard let event = lifecycle.resumption(current?.stopCause, drains: drains) else { return }
    handle(event)
  }

  private var drains: Bool { scope != nil && workload?.listen == .port }

  // MARK: Programs that bind by themselves

  /// Returns through `drained`, for which the lifecycle waits.
  func drain(_ generation: Generation) async {
    let patience = generation.workload?.timeoutDrainUSec ?? Workload.defaultDrainUSec
    let deadline = EventLoop.main.now().after(patience)
    if heldSince == nil { heldSince = EventLoop.main.now() }
    await host.frontDoors.hold(name, timeoutUSec: patience)
    guard generation === current, state == .draining else { return }
    // Long enough for the drain, the stop and the next start; were podd to end now, it would not be for good.
    let bound = patience.after(generation.workload?.timeoutStopUSec ?? 0).after(
      generation.workload?.timeoutStartUSec ?? 0)
    if !(await host.firewall.hold(name, address: record.address, port: record.port, timeoutUSec: bound)) {
      Log.warning("\(name): new connections cannot be held off while it drains; some may be refused")
    }
    // Over before it was in force: the release may have come first.
    guard generation === current, state == .draining else {
      if heldSince == nil { await host.firewall.release(name) }
      return
    }
    let left = await waitForConnections(generation, until: deadline)
    guard generation === current, state == .draining else { return }
    if left > 0 { cut(generation, left, afterUSec: patience) }
    handle(.drained)
  }

  /// How many connections are left when the time is over.
  private func waitForConnections(_ generation: Generation, until deadline: UInt64) async -> Int {
    var pause: UInt64 = 2_000
    while generation === current && state == .draining {
      let count: Int
      do throws(Errno) {
        count = try usersConnections().count
      } catch {
        Log.warning("\(name): \(error); it is stopped without waiting for its connections")
        return 0
      }
      let now = EventLoop.main.now()
      if count == 0 || now >= deadline { return count }
      await EventLoop.main.sleep(min(pause, deadline - now))
      pause = min(pause * 2, 100_000)
    }
    return 0
  }

  /// Lets new connections in again, and says how long they waited.
  func release() async {
    guard let since = heldSince else { return }
    heldSince = nil
    let gap = (EventLoop.main.now() - since) / 1000
    host.frontDoors.release(name)
    await host.firewall.release(name)
    Log.event(
      .podReleased, "\(name) took no new connections for \(gap) ms.",
      journalFields + [("POD_GAP_USEC", String(gap * 1000))])
  }

  // MARK: Connections that were cut

  private func cut(_ generation: Generation, _ count: Int, afterUSec patience: UInt64) {
    generation.cutConnections = count
    let seconds = Double(patience / 100_000) / 10
    let fields = journalFields + [("POD_CONNECTIONS", String(count))]
    let text =
      "\(name) had \(count) connection\(count == 1 ? "" : "s") left after \(seconds) s, which are cut."
    Log.event(.podDrainCut, text, priority: .warning, fields)
    host.alerts.raise(.drainCut, [("MESSAGE", text)] + fields)
  }

  /// The pod's connections, whichever of its generations they belong to, but for podd's own question.
  func usersConnections() throws(Errno) -> [PodConnection] {
    try Connections.of(address: record.address, port: record.port).filter(isUsers)
  }

  /// An earlier question of podd's, which it has given up, waits like a user's until the program takes it.
  func isUsers(_ connection: PodConnection) -> Bool {
    connection.remotePort != probePort
      && (connection.isAccepted || !probePorts.contains(connection.remotePort))
  }

  /// How many users' connections the pod has now; nil when the kernel does not tell.
  var connections: Int? { try? usersConnections().count }

  /// The connections that a generation which is being stopped has not finished; nil when the kernel does not tell.
  private func openConnections(of generation: Generation) -> Int? {
    guard let scope = generation.scope,
      let all = try? usersConnections()
    else { return nil }
    // Looking through a program's descriptors takes time: only where another generation has some too.
    if all.isEmpty || current == nil || other == nil { return all.count { $0.isAccepted } }
    guard let sockets = try? Connections.sockets(of: scope.processes) else { return nil }
    return Connections.owned(all, by: sockets).count
  }

  /// While systemd waits for a program that was told to stop: whatever is open when its patience ends is cut. The
  /// last look is a moment before that, more than a timer may be late: of a program that systemd has killed nothing is
  /// left to count.
  func watchConnections(of generation: Generation, _ scope: RunningScope) async {
    let patience = generation.workload?.timeoutStopUSec ?? Workload.defaultTimeoutUSec
    let deadline = EventLoop.main.now().after(patience - min(patience / 10, 100_000))
    var left = 0
    var pause: UInt64 = 20_000
    while scope.isPopulated {
      let now = EventLoop.main.now()
      if now >= deadline { break }
      // Most have ended by then, and nobody need have counted.
      await EventLoop.main.sleep(min(pause, deadline - now))
      pause = min(pause * 2, 500_000)
      left = openConnections(of: generation) ?? left
    }
    if EventLoop.main.now() >= deadline && left > 0 { cut(generation, left, afterUSec: patience) }
  }
}
