import CLinux
import Glibc
import PodModel
import PodStore
import Systemd

/// A pod's address while its program does not answer there: podd keeps whoever connects and wakes the pod. With
/// `Listen=socket` it watches the listening socket; for a program that binds by itself, connection attempts wait in
/// the packet filter's queue.
@LoopActor
final class WakeOnConnect {
  private unowned let pod: Pod
  private(set) var wakePolicy = WakePolicy.closed
  private var listen: Workload.Listen?
  private var watch: EventSource?
  /// It was told to come; who else connects need not tell it again.
  private var isWaking = false
  /// Until it is tried again to open it, and whether that it failed was said.
  private var retry: EventSource?
  private var hasComplained = false
  private static let retryUSec: UInt64 = 5_000_000

  init(_ pod: Pod) { self.pod = pod }

  private var host: PodHost { pod.host }

  /// Whether podd is to hold the pod's listening socket now.
  var watchesSocket: Bool { wakePolicy == .wakes && listen == .socket }

  /// After every change of the pod's state or of its number of users.
  func update() {
    guard host.doorsAreOpen else { return }
    let before = wakePolicy
    wakePolicy = before.next(pod.state, users: lockCount > 0 ? 0 : pod.record.users)
    isWaking = false
    watch = nil
    retry = nil
    if !wakePolicy.needsSocket(pod.state) { host.sockets.drop(pod.name) }
    switch wakePolicy {
    case .closed: close(before)
    case .wakes: open()
    case .keeps: break
    }
    // Who waited for as long as a start may take has waited enough, and the host's own faults may take longer.
    if pod.state == .backoff, let end = pod.lifecycle.lastEnd, end == .startTimeout || end.isOfHost {
      host.sockets.turnAway(pod.name)
    }
  }

  /// A pod that was found starting, after podd was restarted: somebody may have woken it and wait.
  func keepWhileStarting() {
    guard pod.state == .starting, wakePolicy == .closed else { return }
    wakePolicy = .keeps
    listen = (pod.workload ?? pod.nextWorkload)?.listen
    if listen == .port { holdPackets() }
  }

  /// While it is above 0, nobody wakes the pod.
  var lockCount = 0

  func unlock() {
    lockCount -= 1
    if pod.state == .cold, host.pods[pod.name] === pod { update() }
  }

  /// The pod is no more.
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
    // As it would be launched, or as it runs. Settings that do not parse keep it from being launched.
    listen = (pod.workload ?? pod.nextWorkload)?.listen
    if before == .port && listen != .port { host.firewall.endSleep(pod.name) }
    switch listen {
    case .socket: watchSocket()
    case .port: holdPackets()
    case nil: if !pod.state.hasScope { host.sockets.drop(pod.name) }
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
      let raw = try host.sockets.socket(
        for: pod.name, address: pod.record.address, front: pod.record.frontAddress, port: pod.record.port)
      host.sockets.keep(pod.name)
      watch = try watching(raw)
      hasComplained = false
    } catch {
      tryLater("\(error.reason)")
    }
  }

  private func tryLater(_ error: String) {
    if !hasComplained {
      Log.warning("\(pod.name) cannot be woken by who connects, trying again every 5 s: \(error)")
    }
    hasComplained = true
    retry = try? EventSource.timer(EventLoop.main, after: Self.retryUSec) { [weak self] in
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
      throw LaunchFailure(stage: "socket", error)
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
      // Of a frozen program: who came before the filter was in force waits in its own queue.
      if self.pod.state == .frozen, self.somebodyWaits { self.wake() }
    }
  }

  // MARK: Who comes

  /// Whether somebody else than podd itself waits to be accepted. Where the kernel does not tell, somebody does.
  private var somebodyWaits: Bool {
    (try? pod.usersConnections())?.contains { !$0.isAccepted } ?? true
  }

  private func readable() {
    watch = nil
    guard wakePolicy == .wakes, listen == .socket else { return }
    if !somebodyWaits {
      // podd's own probe, or somebody who has gone again: taken off the queue, or it would wake for ever.
      host.sockets.dismissOne(pod.name)
      return watchSocket()
    }
    wake()
  }

  private func wake() {
    guard wakePolicy == .wakes, !isWaking else { return }
    isWaking = true
    let sleep = (realtimeNow() - min(realtimeNow(), pod.since)) / 1_000_000
    Log.event(
      .podWoken,
      "\(pod.name) was \(pod.state.rawValue) for \(sleep) s and is woken: somebody connects to it.",
      pod.journalFields)
    pod.handle(.start)
  }

  /// It could not be thawed: the next one who comes may try again.
  func wakeFailed() {
    if pod.state == .frozen { update() }
  }
}
