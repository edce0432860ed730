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

  /// After podd was started again: notifies the program, unless it knows everybody who is placed here.
  func checkDeliveredUsers() async {
    let name = name
    let users = try? await host.store.run { store throws(StoreError) in try store.users(ofPod: name) }
    current?.usersAreStale = users.map { !DeliveredUsers.isCurrent($0, of: name) } ?? true
    notifyOfStaleUsers()
  }

  func notifyOfStaleUsers() {
    guard usersAreStale, state == .ready else { return }
    loopTask {
      do throws(UsersFile.Failure) {
        try await self.refreshUsers()
      } catch {
        Log.error("\(self.name) cannot be notified of its users: \(error)")
      }
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
      return error
    }
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

  /// As with systemd's Type=notify-reload, READY=1 after the signal says that the new file is in force. podd waits a second
  /// for it, once: a program need not implement the protocol.
  func reload(_ scope: RunningScope, _ signal: Int32) async {
    scope.signal(signal)
    current?.workers?.signal(signal)
    guard workload?.type == .notify, scope.answersReload else { return }
    let timeout: EventSource?
    timeout = try? EventSource.timer(EventLoop.main, after: .seconds(1)) { [weak self] in
      LoopActor.assumeIsolated {
        guard let self, let waiting = self.reloadAnswered else { return }
        scope.answersReload = false
        self.reloadAnswered = nil
        waiting.resume()
      }
    }
    guard timeout != nil else { return }
    await withUnsafeContinuation { reloadAnswered = $0 }
  }

  /// The program said READY=1, which may be the answer to its reload signal.
  func answerReload() {
    reloadAnswered?.resume()
    reloadAnswered = nil
  }

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

  /// The placed users are read from the store each time: it alone knows them. Returns the users that were written.
  @discardableResult
  func writeUsersFile(for generation: Generation?) async throws(UsersFile.Failure) -> [UserRecord] {
    let name = name
    let users: [UserRecord]
    do throws(StoreError) {
      users = try await host.store.run { store throws(StoreError) in try store.users(ofPod: name) }
    } catch {
      throw .io(Errno(EIO, error.description))
    }
    try await writeUsersFile(users, for: generation)
    return users
  }

  func writeUsersFile(_ users: [UserRecord], for generation: Generation?) async throws(UsersFile.Failure) {
    await host.userFiles.writers.take(name)
    defer { host.userFiles.writers.end(name) }
    do throws(Errno) {
      try await host.userFiles.ensure(users, in: name, uid: record.uid)
    } catch {
      throw .io(error)
    }
    try UsersFile.write(
      users, pod: name, uid: record.uid, dataMax: generation?.tier?.dataMax,
      template: generation?.workload?.usersTemplate)
  }
}
