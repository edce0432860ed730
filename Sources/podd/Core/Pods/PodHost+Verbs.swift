import PodAPI
import PodModel
import PodStore
import Systemd

extension PodHost {
  func pod(named text: String) throws(Refusal) -> Pod {
    guard let name = PodName(text), let pod = pods[name] else {
      throw Refusal(.noSuchPod, "there is no pod \(text.prefix(64)): 'podctl pods' lists them")
    }
    return pod
  }

  /// Takes a user's place away; the data is kept aside, or removed with `purge`.
  func deprovision(user text: String, purge: Bool) async throws(Refusal) {
    let user = try Self.userName(text)
    await userTurns.take(user)
    defer { userTurns.end(user) }
    let now = Int64(realtimeNow())
    // Remembered as deleted first, also with purge: a crash before the data is gone must not leave it to the next
    // user of that name.
    let gone = try await ask { store throws(StoreError) in
      try store.deprovision(user: user, purge: false, now: now)
    }
    let source = gone.user.pod ?? gone.user.keptFrom
    if let record = gone.pod {
      let pod = add(record)
      // Nobody is left whom it would be woken for.
      if record.users == 0 && pod.state == .cold { pod.wakeOnConnect.update() }
      // The program lets go of the user before the files move; a pod without users is not kept running.
      if record.users == 0 && pod.state.hasScope {
        pod.stopGracefully(.idle, then: .cold)
        await pod.waitUntilGone()
      } else {
        do throws(UsersFile.Failure) {
          try await pod.refreshUsers()
        } catch {
          throw Refusal(error)
        }
      }
    }
    do throws(Errno) {
      if purge {
        try await userFiles.remove(user, from: source)
      } else if let source {
        try await userFiles.putAside(user, from: source)
      }
    } catch {
      throw Refusal(error)
    }
    try await ask { store throws(StoreError) in
      if purge {
        _ = try store.deprovision(user: user, purge: true, now: now)
      } else {
        try store.dataSettled(user: user)
      }
    }
    Log.event(
      .userDeprovisioned,
      "\(user) is no longer placed\(purge ? "; the data is removed" : "; the data is kept").",
      [("POD_USER", user), ("POD", gone.pod?.name.description ?? "")])
  }

  func start(_ pod: Pod) async throws(Refusal) {
    switch pod.state {
    case .crashLoop:
      throw Refusal(
        .launchFailed,
        "\(pod.name) is held after a crash loop (\(Self.text(pod.lifecycle.lastEnd))): 'podctl reset \(pod.name)'"
      )
    case .ready, .starting: break
    default: pod.handle(.start)
    }
    try await ready(pod)
  }

  /// Remembered across reboots. A pod that fills the disk can be stopped too; only then is the wish not kept.
  func stop(_ pod: Pod) async throws(Refusal) {
    pod.stopGracefully(.operator, then: .stopped)
    await pod.waitUntilGone()
    // Written again, by somebody who can be told that it failed. Another start may have been asked for meanwhile.
    let (name, wanted) = (pod.name, pod.record.wanted)
    do throws(StoreError) {
      try await store.run { store throws(StoreError) in try store.setWanted(wanted, pod: name) }
    } catch {
      throw Refusal(
        Refusal(error).error,
        "\(name) is stopped, but that cannot be recorded, so a reboot would start it again: \(error)")
    }
    Log.event(.podStoppedByOperator, "\(pod.name) is stopped by hand and stays so.", pod.journalFields)
  }

  /// Graceful where there is something to replace. Settings that do not parse leave it alone.
  func restart(_ pod: Pod) async throws(Refusal) {
    do throws(Configuration.Failure) {
      _ = try configuration.workload(of: configuration.tier(pod.record.tier).tier)
    } catch {
      throw Refusal(error)
    }
    pod.handle(.restart(.operator, pod.handover))
    guard let reason = await pod.waitUntilReplaced() else { return }
    try refuseStart(of: pod, reason)
  }

  // MARK: Making room, and coming back

  /// Replaces what runs, gracefully. Returns what is, or with `dryRun` would be, done.
  func recycle(_ pod: Pod, dryRun: Bool) async throws(Refusal) -> String {
    guard pod.state == .ready || pod.state == .frozen else {
      return "\(pod.name) is \(pod.state.rawValue): there is nothing to replace"
    }
    let plan = Self.plan(of: pod, replacing: true)
    if !dryRun { try await restart(pod) }
    return plan
  }

  /// Stops what runs, to give its memory to others; its users wake it.
  func evict(_ pod: Pod, dryRun: Bool) async -> String {
    guard pod.state.hasScope else {
      return "\(pod.name) is \(pod.state.rawValue): there is nothing to stop"
    }
    let plan = Self.plan(of: pod, replacing: false)
    if !dryRun {
      pod.stopGracefully(.operator, then: .cold)
      await pod.waitUntilGone()
    }
    return plan
  }

  private static func plan(of pod: Pod, replacing: Bool) -> String {
    let unit = pod.scope?.unit.description ?? pod.name.description
    let end = replacing ? "stopped and started anew" : "stopped; the next request wakes it"
    switch pod.handover {
    case .overlap where replacing:
      return "\(unit) is stopped once the next generation serves beside it; no connection waits"
    case .overlap, .queue:
      let queue = replacing ? "; new connections wait in its socket's queue meanwhile" : ""
      return "\(unit) finishes its requests and is \(end)\(queue)"
    case .drain:
      let open = pod.connections.map { "its \($0) open" } ?? "its open"
      let patience = (pod.workload?.timeoutDrainUSec ?? 0) / 1_000_000
      return
        "\(unit) takes no new connections, \(open) ones are waited for, at most \(patience) s, then it is \(end)"
    }
  }

  func freeze(_ pod: Pod) async throws(Refusal) {
    if pod.state == .frozen { return }
    guard pod.state == .ready else {
      throw Refusal(
        .busy, "\(pod.name) is \(pod.state.rawValue): only a pod that is ready can be frozen")
    }
    pod.handle(.freeze)
    await pod.freezing?.value
    guard pod.state == .frozen else {
      throw Refusal(.launchFailed, "\(pod.name) cannot be frozen now: 'podctl status \(pod.name)' shows why")
    }
  }

  func thaw(_ pod: Pod) async throws(Refusal) {
    guard pod.state == .frozen else { return }
    pod.handle(.start)
    try await ready(pod)
  }

  /// Because a request came.
  func wake(_ pod: Pod) async throws(Refusal) {
    try await serve(pod, refresh: false)
  }

  /// For a rollout, which wants a new generation also of what is just starting. Nil when it is ready.
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
    pod.handle(.reset)
    if pod.state == .starting { try await ready(pod) }
  }

  private func ready(_ pod: Pod) async throws(Refusal) {
    guard let reason = await pod.waitUntilReady() else { return }
    try refuseStart(of: pod, reason)
  }

  private func refuseStart(of pod: Pod, _ reason: EndReason) throws(Refusal) {
    let goesOn = pod.state == .ready ? "; its last generation serves on" : ""
    throw Refusal(
      .launchFailed,
      "\(pod.name) could not be started: \(reason)\(goesOn); 'podctl logs \(pod.name)' shows what it said")
  }
}
