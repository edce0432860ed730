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
    let gone: Deprovisioned
    do throws(StoreError) {
      // Remembered as deleted first, also with purge: a crash before the data is gone must not leave it to
      // the next user of that name.
      gone = try await store.run { store throws(StoreError) in
        try store.deprovision(user: user, purge: false, now: now)
      }
    } catch {
      throw Refusal(error)
    }
    let source = gone.user.pod ?? gone.user.keptFrom
    if let record = gone.pod {
      let pod = add(record)
      // The program lets go of the user before the files move; a pod without users is not kept running.
      if record.users == 0 && pod.state.hasScope {
        pod.handle(.stop(.idle, then: .cold))
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
        try UserData.remove(user, from: source)
      } else if let source {
        try UserData.putAside(user, from: source)
      }
    } catch {
      throw Refusal(error)
    }
    do throws(StoreError) {
      try await store.run { store throws(StoreError) in
        if purge {
          _ = try store.deprovision(user: user, purge: true, now: now)
        } else {
          try store.dataSettled(user: user)
        }
      }
    } catch {
      throw Refusal(error)
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
    pod.handle(.stop(.operator, then: .stopped))
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

  func restart(_ pod: Pod) async throws(Refusal) {
    pod.handle(.restart(.operator))
    try await ready(pod)
  }

  func reset(_ pod: Pod) async throws(Refusal) {
    pod.handle(.reset)
    if pod.state == .starting { try await ready(pod) }
  }

  private func ready(_ pod: Pod) async throws(Refusal) {
    guard let reason = await pod.waitUntilReady() else { return }
    throw Refusal(
      .launchFailed,
      "\(pod.name) could not be started: \(reason); 'podctl logs \(pod.name)' shows what it said")
  }
}
