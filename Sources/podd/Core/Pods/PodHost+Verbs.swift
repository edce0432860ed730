import Linux
import PodAPI
import PodModel
import PodStore
import Systemd
import Time

extension PodHost {
  func pod(named text: String) throws(Refusal) -> Pod {
    guard let name = PodName(text), let pod = pods[name] else {
      throw Refusal(.noSuchPod, "there is no pod \(text.prefix(64)): 'podctl pods' lists them")
    }
    return pod
  }

  /// Ends a user's placement; the data is put aside, or removed with `purge`. With the pod's last user, what its program
  /// stored is put aside or removed too.
  func deprovision(user: UserName, purge: Bool) async throws(Refusal) {
    await userTurns.take(user)
    defer { userTurns.end(user) }
    let now = Clock.wall
    // On record first: a crash before the data is gone must not leave it to the next user of that name.
    let gone = try await ask { store throws(StoreError) in
      try store.deprovision(user: user, purge: purge, now: now)
    }
    if let record = gone.pod { add(record) }
    if gone.pod != nil { onUserChange(gone.deleted) }
    // Also the pod of an earlier attempt, whose program may not have been told. It must have dropped the user before the
    // files move.
    if let pod = gone.deleted.keptFrom.flatMap({ pods[$0] }) { try await withdrawUsers(from: pod) }
    try await settleDeparture(of: user)
    for record in try await ask({ store throws(StoreError) in try store.podsDueForCleaning(lastUser: user) })
    {
      if let pod = pods[record.name] { try await clean(pod) }
    }
    report(.userDeprovisioned(user, from: gone.pod, purged: purge))
  }

  func start(_ pod: Pod) async throws(Refusal) {
    if try admit(.start, pod) { pod.handle(.start) }
    try await ready(pod)
  }

  /// Remembered across reboots, unless the disk is full: a pod that fills it can be stopped all the same.
  func stop(_ pod: Pod) async throws(Refusal) {
    pod.handle(.stopGracefully(.operator, then: .stopped))
    await pod.waitUntilGone()
    try checkGone(pod)
    // Written a second time, so that the caller gets the error. Another call may want the pod to run by now.
    let (name, createdAt, wanted) = (pod.name, pod.record.createdAt, pod.lifecycle.wanted)
    do throws(StoreError) {
      try await store.run { store throws(StoreError) in
        try store.setWanted(wanted, pod: name, createdAt: createdAt)
      }
    } catch {
      throw Refusal(
        Refusal(error).error,
        "\(name) is stopped, but that cannot be recorded, so a reboot would start it again: \(error)")
    }
    report(.stoppedByOperator(pod.subject))
  }

  func checkGone(_ pod: Pod) throws(Refusal) {
    guard pod.isLeaving else { return }
    throw Refusal(
      .busy, "\(pod.name) is \(pod.state.rawValue) still: its processes do not end; do they wait for a disk?")
  }

  /// Graceful where there is something to replace. With settings that do not parse nothing is changed.
  func restart(_ pod: Pod) async throws(Refusal) {
    do throws(Configuration.Failure) {
      _ = try configuration.workload(of: configuration.tier(pod.record.tier).tier)
    } catch {
      throw Refusal(error)
    }
    pod.replace(.operator)
    guard let reason = await pod.waitUntilReplaced() else { return }
    try await refuseStart(of: pod, reason)
  }

  // MARK: Making room, and coming back

  /// Replaces what runs, gracefully. Returns what is, or with `dryRun` would be, done.
  func recycle(_ pod: Pod, dryRun: Bool) async throws(Refusal) -> String {
    guard Admission(.recycle, in: pod.state) == .act else {
      return "\(pod.name) is \(pod.state.rawValue): there is nothing to replace"
    }
    let plan = Self.plan(of: pod, replacing: true)
    if !dryRun { try await restart(pod) }
    return plan
  }

  /// Stops what runs, to give its memory to others; its users wake it.
  func evict(_ pod: Pod, dryRun: Bool) async throws(Refusal) -> String {
    guard Admission(.evict, in: pod.state) == .act else {
      return "\(pod.name) is \(pod.state.rawValue): there is nothing to stop"
    }
    try refuseSleep(of: pod, "stop")
    let plan = Self.plan(of: pod, replacing: false)
    if !dryRun {
      pod.handle(.stopGracefully(.operator, then: .cold))
      await pod.waitUntilGone()
    }
    return plan
  }

  private static func plan(of pod: Pod, replacing: Bool) -> String {
    let unit = pod.scope?.unit.description ?? pod.name.description
    let end = replacing ? "stopped and started again" : "stopped; the next request wakes it"
    switch pod.handover {
    case .overlap where replacing:
      return "\(unit) is stopped once the next generation serves; no connection waits"
    case .overlap, .queue:
      let queue = replacing ? "; new connections wait in its socket's queue meanwhile" : ""
      return "\(unit) finishes its requests and is \(end)\(queue)"
    case .drain:
      let open = pod.connections.map { "its \($0) open" } ?? "its open"
      let patience = (pod.workload?.timeoutDrain ?? .zero) / .seconds(1)
      return
        "\(unit) takes no new connections, \(open) ones are waited for, at most \(patience) s, then it is \(end)"
    }
  }

  func freeze(_ pod: Pod) async throws(Refusal) {
    guard try admit(.freeze, pod) else { return }
    try refuseSleep(of: pod, "freeze")
    pod.handle(.freeze)
    await pod.freezing?.value
    guard pod.state == .frozen else {
      throw Refusal(.launchFailed, "\(pod.name) cannot be frozen now: 'podctl status \(pod.name)' shows why")
    }
  }

  /// Nobody would wake it.
  private func refuseSleep(of pod: Pod, _ what: String) throws(Refusal) {
    if pod.canBeWoken { return }
    throw Refusal(
      .busy,
      "\(pod.name) binds its port by itself, and the packet filter's queue, by which a connection would wake it,"
        + " cannot be opened (is the kernel module nfnetlink_queue there?), so podd does not \(what) it;"
        + " 'podctl stop \(pod.name)' stops it until it is started again")
  }

  func thaw(_ pod: Pod) async throws(Refusal) {
    guard try admit(.thaw, pod) else { return }
    pod.handle(.start)
    try await ready(pod)
  }

  /// Because a request came.
  func wake(_ pod: Pod) async throws(Refusal) {
    try await serve(pod, refresh: false)
  }

  /// For a rollout, which replaces also a generation that is just starting. Nil when the new one is ready.
  func replace(_ pod: Pod) async -> Refusal? {
    if pod.state == .starting { _ = await pod.waitUntilReady() }
    do throws(Refusal) {
      try await restart(pod)
      return nil
    } catch {
      return error
    }
  }

  func reset(_ pod: Pod) async throws(Refusal) {
    if try admit(.reset, pod) { pod.handle(.reset) }
    if pod.state == .starting { try await ready(pod) }
  }

  /// Whether the verb's event has to be sent to the pod; false: there is nothing to do.
  func admit(_ verb: Admission.Verb, _ pod: Pod) throws(Refusal) -> Bool {
    switch Admission(verb, in: pod.state) {
    case .act: return true
    case .nothingToDo: return false
    case .refused(.stopped):
      throw Refusal(.launchFailed, "\(pod.name) was stopped by hand: 'podctl start \(pod.name)' starts it")
    case .refused(.startLimitHit):
      throw Refusal(
        .launchFailed,
        "\(pod.name) is held after a crash loop (\(pod.lifecycle.lastEnd.words)): 'podctl reset \(pod.name)'"
      )
    case .refused(.notReady):
      throw Refusal(.busy, "\(pod.name) is \(pod.state.rawValue): only a pod that is ready can be frozen")
    case .refused(.nothingRuns):
      throw Refusal(.busy, "\(pod.name) is \(pod.state.rawValue): there is nothing to stop")
    }
  }

  private func ready(_ pod: Pod) async throws(Refusal) {
    guard let reason = await pod.waitUntilReady() else { return }
    try await refuseStart(of: pod, reason)
  }

  func refuseStart(of pod: Pod, _ reason: EndReason) async throws(Refusal) {
    let goesOn = pod.state == .ready ? "; its last generation serves on" : ""
    let cause = await pod.cause(of: reason)
    throw Refusal(
      .launchFailed,
      "\(pod.name) could not be started: \(reason)\(cause.map { " (\($0))" } ?? "")\(goesOn);"
        + " 'podctl logs \(pod.name)' shows what it said")
  }
}
