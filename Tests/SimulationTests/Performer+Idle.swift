import PodModel
import Time

/// Pods that nobody uses, as podd's IdleWatch treats them.
extension Performer {
  /// When podd looks at the pod next, because something may be due.
  func nextIdleAct(of pod: SimulatedPod) -> LoopTime? {
    // Whoever an operator's freeze has caught waits for the thaw: nothing comes of a look, however often.
    if pod.state == .frozen, let unit = pod.current?.unit, simulation.world.requests(in: unit) > 0 {
      return nil
    }
    guard isServing, pod.lifecycle.other == nil, let current = pod.current, current.isWatched else {
      return nil
    }
    let usedAt = pod.idleness.flatMap { $0.unit == current.unit ? $0.clock.usedAt : nil }
    return simulation.idlePolicy.next(pod.state, usedAt: usedAt ?? .zero)?.at
  }

  /// Looks at the kernel's tables, and does what is due.
  func sleepIfIdle(_ pod: SimulatedPod) throws {
    guard let unit = pod.current?.unit else { return }
    let (world, policy) = (simulation.world, simulation.idlePolicy)
    let open = world.requests(in: unit) + (world.doors[pod.name]?.waiting ?? 0)
    var clock = pod.idleness.flatMap { $0.unit == unit ? $0.clock : nil } ?? Idleness(now: world.now)
    if let usedAt = world.usedAt[pod.name] { clock.note(usedAt: usedAt) }
    clock.note(cpu: nil, connections: open, now: world.now)
    pod.idleness = (unit, clock)
    guard let act = policy.due(pod.state, clock, now: world.now) else { return }
    simulation.note("\(pod.name) is idle: \(act)")
    try simulation.check(open == 0, "\(pod.name) is to \(act) for idleness with \(open) connections open")
    let time = act == .freeze ? policy.freezeAfter : policy.stopAfter
    try simulation.check(
      world.usedAt[pod.name].map { $0 + time <= world.now } ?? true,
      "\(pod.name) is to \(act) although it was in use within \(time.count) µs")
    switch act {
    case .freeze: try handle(.pod(.freeze), pod)
    case .stop: try handle(.stopGracefully(.idle, then: .cold), pod)
    }
  }
}
