import Glibc
import PodModel
import PodStore
import Systemd
import Time

/// Whether somebody uses a pod, and whether it may sleep if nobody does.
extension Pod {
  // MARK: Use

  /// - Parameters:
  ///   - cpu: the CPU time of its generation; nil when that cannot be read.
  ///   - connections: nil when they have not been counted.
  func noteActivity(cpu: Microseconds?, connections: [PodConnection]? = nil) {
    guard state == .ready || state == .frozen, let unit = scope?.unit else {
      idleness = nil
      return
    }
    let now = EventLoop.main.now()
    let open = connections.map { $0.count(where: isUsers) }
    var clock = idleness.flatMap { $0.unit == unit ? $0.clock : nil } ?? Idleness(now: now)
    clock.note(cpu: cpu, connections: open, now: now)
    idleness = (unit, clock)
  }

  /// Notes that it serves: a generation became ready, or was thawed.
  func noteServing() {
    noteActivity(cpu: nil)
    noteUse(at: EventLoop.main.now())
  }

  /// Notes that somebody used it, or may have.
  func noteUse(at time: LoopTime) {
    idleness?.clock.note(usedAt: time)
  }

  /// Nil while the pod is busy, or when that is unknown.
  var idleSince: LoopTime? { idleness?.clock.activeAt }

  // MARK: Sleep

  /// As the running generation's tier has it; nil where it never sleeps for idleness, and where nothing runs.
  var idlePolicy: IdlePolicy? {
    guard let tier = current?.tier else { return nil }
    let policy = IdlePolicy(tier)
    return policy.freezeAfter == .zero && policy.stopAfter == .zero ? nil : policy
  }

  /// What is done next if nobody uses it; nil: nothing, for now.
  var nextIdleAct: (act: IdlePolicy.Act, at: LoopTime)? {
    guard let policy = idlePolicy, let idleness, idleness.unit == scope?.unit, maySleep else { return nil }
    return policy.next(state, usedAt: idleness.clock.usedAt)
  }

  /// Not while it is replaced, and not where nobody's connection would wake it.
  var maySleep: Bool {
    other == nil && record.activeUsers > 0 && canBeWoken && !host.rollouts.isUnderWay(tier: record.tier)
  }

  /// What is due, as far as its connections were noted.
  func dueIdleAct(_ now: LoopTime) -> IdlePolicy.Act? {
    guard nextIdleAct != nil, let idleness else { return nil }
    return idlePolicy?.due(state, idleness.clock, now: now)
  }

  /// Whether a connection wakes it once it sleeps: not where its program binds by itself and the packet filter cannot
  /// hand over connections.
  var canBeWoken: Bool {
    (workload ?? nextWorkload)?.listen != .port || host.firewall.canHold
  }

  /// Freezes it, and thaws it again if a connection came meanwhile. False when it is not frozen.
  ///
  /// - Parameter known: the clients' ports of connections that it may have all the same.
  func freezeUnlessUsed(except known: Set<UInt16> = []) async -> Bool {
    handle(.freeze)
    await freezing?.value
    guard state == .frozen else { return false }
    let isUsed = (try? usersConnections())?.contains { !known.contains($0.remotePort) } ?? true
    if isUsed { handle(.start) }
    return !isUsed
  }
}
