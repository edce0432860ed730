import Glibc
import Linux
import PodModel
import PodStore
import Systemd
import Time

/// Keeps new connections to a pod whose program does not answer, and wakes the pod for them. With `Listen=socket` podd
/// watches the listening socket; for a program that binds by itself, connection attempts wait in the packet filter's queue.
@LoopActor
final class WakeOnConnect {
  private unowned let pod: Pod
  private(set) var wakePolicy = WakePolicy.closed
  private var listen: Workload.Listen?
  private var watch: EventSource?
  /// The pod is being woken: further connections need not wake it.
  private var isWaking = false
  /// The timer of the next attempt to open it.
  private var retry: EventSource?
  /// Whether it was reported that another program has the pod's port.
  private var hasReportedPort = false
  /// Whether a failed attempt was logged.
  private var hasComplained = false
  private static let retryPause: Microseconds = .seconds(5)

  init(_ pod: Pod) { self.pod = pod }

  private var host: PodHost { pod.host }

  /// Whether podd is to hold the pod's listening socket now.
  var watchesSocket: Bool { wakePolicy == .wakes && listen == .socket }

  /// After every change of the pod's state or of its users.
  func update() {
    guard host.wakesOnConnect else { return }
    let before = wakePolicy
    wakePolicy = before.next(pod.state, users: lockCount > 0 ? 0 : pod.record.activeUsers)
    isWaking = false
    watch = nil
    retry = nil
    if !wakePolicy.needsSocket(pod.state) { host.sockets.refuse(pod.name) }
    switch wakePolicy {
    case .closed: close(before)
    case .wakes: open()
    case .keeps: break
    }
    if WakePolicy.refusesWaiting(pod.state, lastEnd: pod.lifecycle.lastEnd, pause: pod.lifecycle.pause) {
      host.sockets.turnAway(pod.name)
    }
    if !pod.state.hasScope { keepPort() }
  }

  /// No other program may listen where the pod's listened.
  private func keepPort() {
    do throws(LaunchFailure) {
      try host.sockets.reserve(pod.record)
      hasReportedPort = false
    } catch {
      guard error.isPortTaken, !hasReportedPort else { return }
      hasReportedPort = true
      loopTask { [pod] in
        // Connections of the pod's last program also have the port for a moment.
        guard let holder = await PortHolder.find(port: pod.record.port) else { return }
        pod.host.report(.portTaken(pod.subject, port: pod.record.port, holder: holder))
      }
    }
  }

  /// To be called once for every pod, after podd was restarted.
  func keepWhileStarting() {
    let policy = wakePolicy.adopted(in: pod.state)
    guard policy != wakePolicy else { return }
    wakePolicy = policy
    listen = (pod.workload ?? pod.nextWorkload)?.listen
    if listen == .port { holdPackets() }
  }

  /// While it is above 0, no connection wakes the pod.
  var lockCount = 0

  func unlock() {
    lockCount -= 1
    if pod.state == .cold, host.pods[pod.name] === pod { update() }
  }

  /// The pod was removed.
  func remove() {
    let before = wakePolicy
    wakePolicy = .closed
    watch = nil
    retry = nil
    close(before)
  }

  // MARK: Opening and closing

  private func open() {
    let before = listen
    // The workload as it runs, or as it would be launched; nil where the settings do not parse, so that it cannot be.
    listen = (pod.workload ?? pod.nextWorkload)?.listen
    if before == .port && listen != .port { host.firewall.endSleep(pod.name) }
    switch listen {
    case .socket: watchSocket()
    case .port: holdPackets()
    case nil: if !pod.state.hasScope { host.sockets.refuse(pod.name) }
    }
  }

  private func close(_ before: WakePolicy) {
    let listen = listen
    self.listen = nil
    guard before != .closed else { return }
    if listen == .port { host.firewall.endSleep(pod.name) }
  }

  private func watchSocket() {
    do throws(LaunchFailure) {
      let raw = try host.sockets.socket(for: pod.record)
      host.sockets.keep(pod.name)
      watch = try watching(raw)
      hasComplained = false
    } catch {
      tryLater("\(error.reason)")
    }
  }

  private func tryLater(_ error: String) {
    if !hasComplained {
      Log.warning("\(pod.name) cannot be woken by a connection, trying again every 5 s: \(error)")
    }
    hasComplained = true
    retry = try? EventSource.timer(EventLoop.main, after: Self.retryPause) { [weak self] in
      LoopActor.assumeIsolated {
        guard let self, self.retry != nil else { return }
        self.retry = nil
        if self.wakePolicy == .wakes { self.open() }
      }
    }
  }

  private func watching(_ raw: CInt) throws(LaunchFailure) -> EventSource {
    do throws(Errno) {
      return try EventSource.io(EventLoop.main, descriptor: raw, events: PollEvents.input) { [weak self] _ in
        LoopActor.assumeIsolated { self?.readable() }
      }
    } catch {
      throw LaunchFailure(stage: .socket, error)
    }
  }

  private func holdPackets() {
    let record = pod.record
    loopTask { [weak self] in
      guard let firewall = self?.host.firewall, self?.wakePolicy != .closed else { return }
      let sleeps = await firewall.sleep(
        record.name, address: record.address, port: record.port, knock: { self?.wake() })
      guard let self else { return }
      if !sleeps {
        if self.wakePolicy == .wakes { self.tryLater("the packet filter's queue cannot be read") }
        return
      }
      self.hasComplained = false
      // A connection that came before the filter was in force waits in a frozen program's own queue.
      if self.pod.state == .frozen, self.somebodyWaits { self.wake() }
    }
  }

  // MARK: Connections

  /// Whether a connection that is not podd's own waits to be accepted; true where the kernel does not tell.
  private var somebodyWaits: Bool {
    (try? pod.usersConnections())?.contains { !$0.isAccepted } ?? true
  }

  private func readable() {
    watch = nil
    guard wakePolicy == .wakes, listen == .socket else { return }
    if !somebodyWaits {
      // podd's own probe, or a client that has gone again: taken off the queue, or the socket would stay readable.
      host.sockets.dismissOne(pod.name)
      return watchSocket()
    }
    wake()
  }

  private func wake() {
    guard wakePolicy == .wakes, !isWaking else { return }
    isWaking = true
    let sleep = (Clock.wall - pod.since) / .seconds(1)
    pod.host.report(.woken(pod.subject, sleptSeconds: sleep))
    host.figures.woken(pod.name, from: pod.state, at: EventLoop.main.now())
    pod.handle(.start)
  }

  /// It could not be thawed: the next connection may try again.
  func wakeFailed() {
    if pod.state == .frozen { update() }
  }
}
