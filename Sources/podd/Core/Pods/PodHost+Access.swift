import PodAPI
import PodModel
import PodStore
import Systemd
import Time

/// Who of the placed users has access: `suspend` and `resume`, and what a pod does when it loses a user.
extension PodHost {
  /// Ends a user's access. When it returns, no program serves the user any more; place and data are kept.
  func suspend(user: UserName) async throws(Refusal) -> UserRecord.Status {
    await userTurns.take(user)
    defer { userTurns.end(user) }
    let now = Clock.wall
    // On record first: whoever writes a users file from now on leaves the user out.
    let change = try await ask { store throws(StoreError) in try store.suspend(user: user, now: now) }
    let pod = add(change.pod)
    if change.isNew { onUserChange(change.user) }
    // An earlier attempt may have failed, or have been interrupted.
    if change.isNew || pod.machine.hasStaleUsers { try await withdrawUsers(from: pod) }
    if change.isNew { report(.userSuspended(user, pod.subject)) }
    return change.user.status
  }

  /// Gives a suspended user access again, with a new token. When it returns, the pod's program knows the user, or will
  /// before it serves anybody; a pod that sleeps is not launched for it.
  func resume(user: UserName) async throws(Refusal) -> UserRecord.Status {
    await userTurns.take(user)
    defer { userTurns.end(user) }
    let (token, now) = (Self.newToken(), Clock.wall)
    let change = try await ask { store throws(StoreError) in
      try store.resume(user: user, token: token, now: now)
    }
    let pod = add(change.pod)
    if pod.state == .cold { pod.wakeOnConnect.update() }
    // A front door that hears of the user sooner would send requests with a token that the program does not know.
    defer { if change.isNew { onUserChange(change.user) } }
    if change.isNew || pod.machine.hasStaleUsers { try await pod.knowsUsers(.coming) }
    if change.isNew { report(.userResumed(user, pod.subject)) }
    return change.user.status
  }

  /// For a pod that has lost users: when it returns, no program serves them any more. A pod that has no active users is
  /// stopped.
  ///
  /// - Parameter isNew: false: an earlier podd may have done it.
  func withdrawUsers(from pod: Pod, isNew: Bool = true) async throws(Refusal) {
    // No user is left for whom a connection would wake it.
    if pod.record.activeUsers == 0 && pod.state == .cold { pod.wakeOnConnect.update() }
    guard isUnneeded(pod) else { return try await pod.knowsUsers(.every, isNew: isNew) }
    pod.handle(.stopGracefully(.idle, then: .cold))
    // It finishes its open connections: the users must not be served on them meanwhile. It ends in any case.
    try? await pod.deliverUsers(to: .serving)
    await pod.waitUntilGone()
    try checkGone(pod)
  }

  /// Whether it runs, or will by itself, without active users.
  private func isUnneeded(_ pod: Pod) -> Bool {
    pod.record.activeUsers == 0 && (Admission(.idle, in: pod.state) == .act || pod.state == .backoff)
  }

  /// Stops the pods whose last active user was suspended when an earlier podd ended, before it could stop them.
  func stopUnneeded() {
    for pod in pods.values where pod.record.users > 0 && pod.record.activeUsers == 0 {
      // One that has hit its start limit keeps that.
      guard pod.lifecycle.wanted == .run, pod.state != .crashLoop else { continue }
      pod.handle(.stopGracefully(.idle, then: .cold))
    }
  }
}
