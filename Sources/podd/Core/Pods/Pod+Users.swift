import Glibc
import Linux
import PodModel
import PodStore
import Systemd
import Time

/// How a pod's program is notified of its users: performs what ``PodMachine`` decides (PodMachine+Users).
extension Pod {
  /// After its users changed in the store. Returns when the programs that `reach` names know them as they are now, or do
  /// not run.
  ///
  /// - Parameter isNew: false: only if a program may know others than the store has.
  func deliverUsers(to reach: PodMachine.Reach, isNew: Bool = true) async throws(UsersFile.Failure) {
    let wasReady = state == .ready
    if isNew { handle(.usersChanged(reach)) }
    let revision = machine.users.revision
    let deadline = EventLoop.main.now() + patience
    wait: while true {
      switch machine.delivery(of: revision, to: reach) {
      case .done: break wait
      case .failed: throw usersFailure ?? .notDelivered("\(name) is \(state.rawValue)")
      case .underWay:
        let step = BoundedWait<Void>()
        stepWaits.append(step)
        if await step.report(within: deadline - EventLoop.main.now()) == nil {
          stepWaits.removeAll { $0 === step }
          throw .notDelivered(
            "\(name) is \(state.rawValue) still: its processes do not end; do they wait for a disk?")
        }
      }
    }
    await freezingAgain?.value
    // It had to be restarted.
    if wasReady, isLeaving || state == .starting, let reason = await waitUntilReady() {
      throw successorMissing(reason)
    }
  }

  private func successorMissing(_ reason: EndReason) -> UsersFile.Failure {
    .notDelivered("\(name) had to be restarted for it, and its next generation did not come: \(reason)")
  }

  /// After podd was started again: whether an earlier one has notified everybody of the users that the store has.
  func checkDeliveredUsers() async {
    let (name, revision) = (name, machine.users.revision)
    let users = try? await host.store.run { store throws(StoreError) in try store.users(ofPod: name) }
    let isKnown = users.map { DeliveredUsers(of: name).isCurrent($0) } ?? false
    handle(.usersChecked(revision, isKnown: isKnown))
  }

  func writeUsers(_ revision: Int) async {
    do throws(UsersFile.Failure) {
      try await writeUsersFile(for: current)
      handle(.usersWritten(revision, next: nextHandover))
    } catch {
      usersFailure = error
      handle(.usersNotWritten(revision))
    }
  }

  /// A template that was broken may be repaired, and a full disk emptied: it is tried again.
  func usersFailed(_ failure: PodMachine.UserFailure, retryAfter pause: Microseconds?) {
    switch failure {
    case .notWritten: break
    case .settings:
      usersFailure = .notDelivered("\(name) would have to be restarted for it, and its settings do not parse")
    case .restart(let reason): usersFailure = successorMissing(reason)
    case .frozen: usersFailure = .notDelivered("\(name) is frozen and cannot be thawed")
    }
    // Callers get the error.
    if stepWaits.isEmpty, let usersFailure {
      Log.error("\(name) cannot be notified of its users: \(usersFailure)")
    }
    guard let pause else { return }
    usersTimer = try? EventSource.timer(EventLoop.main, after: pause) { [weak self] in
      LoopActor.assumeIsolated { self?.handle(.retryUsers) }
    }
  }

  func thawForUsers() {
    connectionsBefore = Set(((try? usersConnections()) ?? []).map(\.remotePort))
    current?.thaw()
  }

  func freezeAgain() {
    freezingAgain = loopTask { _ = await self.freezeUnlessUsed(except: self.connectionsBefore) }
  }

  /// As with systemd's Type=notify-reload, READY=1 after the signal says that the new file is in force. podd waits a second
  /// for it, once: a program need not implement the protocol.
  func awaitReload(of scope: RunningScope) async {
    guard workload?.type == .notify, scope.answersReload else { return }
    let answer = BoundedWait<Void>()
    reloadAnswer = answer
    if await answer.report(within: .seconds(1)) == nil { scope.answersReload = false }
    if reloadAnswer === answer { reloadAnswer = nil }
  }

  /// The program said READY=1, which may be the answer to its reload signal.
  func answerReload() { reloadAnswer?.finish(()) }

  /// Writes the users file: the users whose data is in the pod and whose directories are as they should be. Trouble with
  /// one user's directory is reported, and the pod goes on without this user.
  ///
  /// The store alone knows the placed users. It is asked when it is this writer's turn, and nothing is waited for after
  /// that: no list of users that is older than another writer's is ever acted on.
  func writeUsersFile(for generation: Generation?) async throws(UsersFile.Failure) {
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
  }

  private func note(_ troubles: [UserName: Errno]) {
    let known = userTroubles
    userTroubles = troubles.mapValues(\.description)
    for (user, why) in userTroubles.sorted(by: { $0.key.text < $1.key.text }) where known[user] != why {
      host.report(.userDataTrouble(user, subject, why))
    }
  }
}
