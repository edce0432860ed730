import Glibc
import Linux
import PodModel
import PodStore
import Systemd
import Time

/// How a pod's program is notified of its users.
extension Pod {
  /// Makes the pod's program know its users as they are now. Returns when it was notified.
  func refreshUsers() async throws(UsersFile.Failure) {
    if let failure = await users.run() { throw failure }
  }

  /// After users were withdrawn from this pod, or got access. When it returns, every program of the pod knows its users as
  /// they are now: it was notified, or does not run.
  func deliverUsers() async throws(UsersFile.Failure) {
    // A frozen program would serve those whom it knows from the moment when it is thawed.
    let wasFrozen = state == .frozen
    var connections: Set<UInt16> = []
    if wasFrozen {
      connections = Set(((try? usersConnections()) ?? []).map(\.remotePort))
      handle(.start)
      _ = await waitUntilReady()
      await notifying?.value
      if state == .frozen { throw .notDelivered("\(name) is frozen and cannot be thawed") }
    }
    try await refreshUsers()
    // A program that is starting may have read the file before; it is notified as soon as it serves.
    while state == .starting, usersAreStale, await waitUntilReady() == nil { await notifying?.value }
    // A successor accepts connections before it is the pod.
    if lifecycle.other?.kind == .successor, other?.usersAreStale ?? false {
      _ = await waitUntilReplaced()
      await notifying?.value
    }
    if state == .ready && usersAreStale { try await refreshUsers() }
    if wasFrozen && state == .ready { _ = await freezeUnlessUsed(except: connections) }
  }

  /// After podd was started again: notifies the program, unless it knows everybody who is placed here.
  func checkDeliveredUsers() async {
    let name = name
    let users = try? await host.store.run { store throws(StoreError) in try store.users(ofPod: name) }
    current?.usersAreStale = users.map { !DeliveredUsers.isCurrent($0, of: name) } ?? true
    // It is notified when it is thawed, and must then find the right file.
    if usersAreStale && state == .frozen { _ = try? await writeUsersFile(for: current) }
    notifyOfStaleUsers()
  }

  /// Until it succeeds: a template that was broken may be repaired, and a full disk emptied.
  func notifyOfStaleUsers() {
    guard usersAreStale, state == .ready, notifying == nil else { return }
    notifyTimer = nil
    notifying = loopTask {
      do throws(UsersFile.Failure) {
        try await self.refreshUsers()
        self.notifyPauses = Self.pausesBetweenNotifications
      } catch {
        Log.error("\(self.name) cannot be notified of its users: \(error)")
      }
      self.notifying = nil
      if self.usersAreStale && self.state == .ready { self.notifyLater() }
    }
  }

  private func notifyLater() {
    notifyTimer = try? EventSource.timer(EventLoop.main, after: notifyPauses.next()) { [weak self] in
      LoopActor.assumeIsolated { self?.notifyOfStaleUsers() }
    }
  }

  /// Whatever has read the users so far does not know them as they are now.
  func markUsersStale() {
    current?.usersAreStale = true
    other?.usersAreStale = true
  }

  func refresh() async -> UsersFile.Failure? {
    markUsersStale()
    let users: [UserRecord]
    do throws(UsersFile.Failure) {
      users = try await writeUsersFile(for: current)
    } catch {
      // The caller gets the error; the program is notified as soon as that is possible.
      if state == .ready && notifying == nil { notifyLater() }
      return error
    }
    notifyLeaving()
    guard state == .ready, let generation = current, let scope, let workload else { return nil }
    if let signal = workload.reloadSignal {
      await reload(scope, signal)
    } else if !workload.execReload.isEmpty, let request = generation.request(for: scope.unit) {
      do throws(LaunchFailure) {
        try await host.launcher.reload(request, in: scope)
      } catch {
        Log.warning("\(name): ExecReload= failed (\(error.reason)), restarting it instead")
        return await restartForUsers()
      }
    } else {
      return await restartForUsers()
    }
    // A generation that was launched meanwhile has read the file as it started.
    if generation === current, generation.scope != nil {
      generation.usersAreStale = false
      DeliveredUsers.record(users, of: name)
    }
    return nil
  }

  /// A program that is being stopped, or was replaced, finishes its open connections: it must not serve a withdrawn user
  /// on them. One that can only be restarted ends anyway.
  private func notifyLeaving() {
    let leaving = [isLeaving ? current : nil, lifecycle.other?.kind == .predecessor ? other : nil]
    for generation in leaving.compactMap({ $0 }) {
      guard let scope = generation.scope, let signal = generation.workload?.reloadSignal else { continue }
      scope.signal(signal)
      generation.workers?.signal(signal)
    }
  }

  /// As with systemd's Type=notify-reload, READY=1 after the signal says that the new file is in force. podd waits a second
  /// for it, once: a program need not implement the protocol.
  func reload(_ scope: RunningScope, _ signal: Int32) async {
    scope.signal(signal)
    current?.workers?.signal(signal)
    guard workload?.type == .notify, scope.answersReload else { return }
    let answer = BoundedWait<Void>()
    reloadAnswer = answer
    if await answer.report(within: .seconds(1)) == nil { scope.answersReload = false }
    if reloadAnswer === answer { reloadAnswer = nil }
  }

  /// The program said READY=1, which may be the answer to its reload signal.
  func answerReload() { reloadAnswer?.finish(()) }

  /// Restarts until a generation serves that has read the users as they are now; one that was being launched may not have.
  private func restartForUsers() async -> UsersFile.Failure? {
    for _ in 0..<5 {
      guard usersAreStale, state == .ready else { return nil }
      // Settings that do not parse must not stop what runs.
      guard nextWorkload != nil else {
        return .notDelivered("\(name) would have to be restarted for it, and its settings do not parse")
      }
      replace(.operator)
      if let reason = await waitUntilReplaced() {
        return .notDelivered(
          "\(name) had to be restarted for it, and its next generation did not come: \(reason)")
      }
    }
    return usersAreStale ? .notDelivered("\(name) is restarted again and again meanwhile") : nil
  }

  /// Writes the users file: the users whose data is in the pod and whose directories are as they should be. Trouble with
  /// one user's directory is reported, and the pod goes on without this user. Returns the users that were written.
  ///
  /// The store alone knows the placed users. It is asked when it is this writer's turn, and nothing is waited for after
  /// that: no list of users that is older than another writer's is ever acted on.
  @discardableResult
  func writeUsersFile(for generation: Generation?) async throws(UsersFile.Failure) -> [UserRecord] {
    await host.userFiles.writers.take(name)
    defer { host.userFiles.writers.end(name) }
    let name = name
    let placed: [UserRecord]
    do throws(StoreError) {
      placed = try await host.store.run { store throws(StoreError) in try store.users(ofPod: name) }
    } catch {
      throw .io(Errno(EIO, error.description))
    }
    var users = placed.filter { !$0.isArriving || $0.keptFrom == name }
    do throws(Errno) {
      let troubles = try host.userFiles.directory(of: record).ensure(users.map(\.name))
      users.removeAll { troubles[$0.name] != nil }
      note(troubles)
    } catch {
      throw .io(error)
    }
    try UsersFile.write(
      users, of: record, dataMax: generation?.tier?.dataMax, template: generation?.workload?.usersTemplate,
      directory: { self.host.userFiles.directory(of: $0, in: self.record) })
    return users
  }

  private func note(_ troubles: [UserName: Errno]) {
    let known = userTroubles
    userTroubles = troubles.mapValues(\.description)
    for (user, why) in userTroubles.sorted(by: { $0.key.text < $1.key.text }) where known[user] != why {
      host.report(.userDataTrouble(user, subject, why))
    }
  }
}
