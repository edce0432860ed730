import Linux
import PodAPI
import PodModel
import PodStore
import Systemd
import Time

/// The work that the store remembers about data: what leaves a pod, what comes into one, and whole directories of pods
/// (decision 0021). Each function does what is still to be done, whoever began it, and can be called again.
extension PodHost {
  // MARK: Leaving

  /// Puts aside the data of a user who is not placed on the pod in whose directory it lies; for a user who is to be
  /// purged, removes all data and then the record.
  func settleDeparture(of user: UserName) async throws(Refusal) {
    await userFiles.moves.take(user)
    defer { userFiles.moves.end(user) }
    try await settleDepartureInTurn(of: user)
  }

  /// Returns the user as the store has it afterwards; nil: there is no such user.
  @discardableResult
  private func settleDepartureInTurn(of user: UserName) async throws(Refusal) -> UserRecord? {
    guard let record = try await userRecord(user) else { return nil }
    let former = record.keptFrom == record.pod ? nil : record.keptFrom
    guard former != nil || record.isPurging else { return record }
    do throws(Errno) {
      if let former {
        // What an earlier attempt took out comes first.
        try await userFiles.run { moves throws(Errno) in
          if record.isPurging { try moves.removeLeaving(user) } else { try moves.keepLeaving(user) }
        }
        try await withdraw(user, from: former)
      }
      try await userFiles.run { moves throws(Errno) in
        if record.isPurging { try moves.remove(user) } else { try moves.keepLeaving(user) }
      }
    } catch {
      let undone = record.isPurging ? "removed" : "put aside"
      throw Refusal.data(error, "\(user) is not placed any more, but the data is not \(undone) yet")
    }
    try await ask { store throws(StoreError) in
      if record.isPurging { try store.forget(user: user) } else { try store.dataPutAside(user: user) }
    }
    return record.isPurging ? nil : try await userRecord(user)
  }

  private func withdraw(_ user: UserName, from name: PodName) async throws(Errno) {
    await userFiles.directories.take(name)
    defer { userFiles.directories.end(name) }
    guard let record = pods[name]?.record else { return }
    let directory = userFiles.directory(of: record)
    try await userFiles.run { moves throws(Errno) in try moves.withdraw(user, from: directory) }
  }

  private func userRecord(_ user: UserName) async throws(Refusal) -> UserRecord? {
    try await ask { store throws(StoreError) in
      do throws(StoreError) { return try store.user(user) } catch {
        if case .noSuchUser = error { return nil }
        throw error
      }
    }
  }

  // MARK: Coming

  /// Brings the data of a placed user into the pod: copied into new inodes where no pod reaches them, and renamed into
  /// the pod as the last step. The pod's program does not know the user before that.
  func settleArrival(of user: UserName) async throws(Refusal) {
    await userFiles.moves.take(user)
    defer { userFiles.moves.end(user) }
    guard let record = try await settleDepartureInTurn(of: user), record.isArriving,
      let pod = record.pod.flatMap({ pods[$0] })
    else { return }
    // Otherwise the user came back to the pod before the data had left it.
    if record.keptFrom == nil {
      do throws(Errno) {
        noteProgram(of: record)
        try await prepareDirectory(of: pod)
        let uid = pod.record.uid
        if try await userFiles.run({ moves throws(Errno) in try moves.stage(user, owner: uid) }) {
          await userFiles.directories.take(pod.name)
          defer { userFiles.directories.end(pod.name) }
          let directory = userFiles.directory(of: pod.record)
          try await userFiles.run { moves throws(Errno) in
            try directory.admit(user, from: moves.places.arriving(user))
          }
        }
      } catch {
        throw Refusal.data(error, "the data of \(user) cannot be brought to \(pod.name)")
      }
    }
    try await ask { store throws(StoreError) in try store.dataArrived(user: user) }
  }

  // MARK: Whole directories

  /// Remembers for the pod's next launch that what a program stored for this user alone has to be brought first.
  func noteProgram(of user: UserRecord) {
    guard user.isArriving, let program = user.programKept, let pod = user.pod.flatMap({ pods[$0] }) else {
      return
    }
    pod.arrivingProgram = (user: user.name, name: program)
  }

  /// Makes the pod's directory fit for a generation, before its launch: it has nothing of former customers, it has the
  /// layout of today, and what its program had stored for its only user is back.
  func prepareDirectory(of pod: Pod) async throws(Errno) {
    let isReady = pod.record.layout == .apart && pod.record.cleaning == nil && pod.arrivingProgram == nil
    if isReady && !userFiles.directories.isTaken(pod.name) { return }
    await userFiles.directories.take(pod.name)
    defer { userFiles.directories.end(pod.name) }
    // A generation that lives keeps the directory as it is.
    guard pods[pod.name] === pod, !pod.isOccupied else { return }
    do throws(Refusal) {
      if pod.record.cleaning != nil { _ = try await cleanInTurn(pod, removing: false) }
      if pod.record.layout == .mixed { try await migrateInTurn(pod) }
      if let program = pod.arrivingProgram {
        try await bringProgramInTurn(program.name, of: program.user, pod)
      }
    } catch {
      Log.error("\(pod.name): \(error.message)")
      throw Errno(error.errno ?? 5, error.message)
    }
  }

  /// Empties the place of a pod whose last user has left, so that it can get users again.
  ///
  /// - Parameter removing: whether the pod goes too.
  func clean(_ pod: Pod, removing: Bool = false) async throws(Refusal) {
    let name = pod.name
    let leaving = try await ask { store throws(StoreError) in try store.unsettled() }
    for user in leaving where user.keptFrom == name && user.pod != name {
      try await settleDeparture(of: user.name)
    }
    // Nobody needs what runs.
    if pod.record.users == 0, Admission(.idle, in: pod.state) == .act {
      pod.handle(.stopGracefully(.idle, then: .cold))
      await pod.waitUntilGone()
    }
    await userFiles.directories.take(name)
    defer { userFiles.directories.end(name) }
    while pods[name] === pod, pod.record.users == 0, pod.isOccupied {
      pod.handle(.stopGracefully(.idle, then: .cold))
      await pod.waitUntilGone()
      // An end is recorded in the same turn of the loop; a launch that was under way may take longer.
      if pod.isOccupied { await EventLoop.main.sleep(.milliseconds(20)) }
    }
    guard pods[name] === pod, try await cleanInTurn(pod, removing: removing) else { return }
    remove(pod)
  }

  /// Returns whether the pod's row is gone.
  private func cleanInTurn(_ pod: Pod, removing: Bool) async throws(Refusal) -> Bool {
    let name = pod.name
    pod.update(try await ask { store throws(StoreError) in try store.pod(name) })
    guard pod.record.users == 0 else { return false }
    guard let cleaning = pod.record.cleaning else {
      // A launch that was under way has cleaned it first.
      guard removing else { return false }
      return try await ask { store throws(StoreError) in try store.podCleaned(name, remove: true) }
    }
    let directory = userFiles.directory(of: pod.record)
    let keptAs: String?
    do throws(Errno) {
      keptAs = try await userFiles.run { moves throws(Errno) in try moves.clean(directory, cleaning) }
    } catch {
      throw Refusal.data(error, "\(name) gets no users before its directory is emptied, and it cannot be")
    }
    let isGone = try await ask { store throws(StoreError) in
      try store.podCleaned(name, keptAs: keptAs, remove: removing)
    }
    if !isGone { pod.update(try await ask { store throws(StoreError) in try store.pod(name) }) }
    if cleaning.kind == .remove {
      do throws(Errno) {
        try await userFiles.run { moves throws(Errno) in try moves.removeTaken() }
      } catch {
        throw Refusal.data(error, "what the program of \(name) stored is taken from it, but not removed yet")
      }
    }
    return isGone
  }

  private func migrateInTurn(_ pod: Pod) async throws(Refusal) {
    let name = pod.name
    let users = try await ask { store throws(StoreError) in
      try store.users(ofPod: name) + store.unsettled().filter { $0.keptFrom == name && $0.pod != name }
    }.map(\.name)
    let directory = userFiles.directory(of: pod.record)
    do throws(Errno) {
      try await userFiles.run { _ throws(Errno) in try directory.migrate(users) }
    } catch {
      throw Refusal.data(error, "the directories of the users of \(name) cannot be moved to their new place")
    }
    try await ask { store throws(StoreError) in try store.layoutMigrated(pod: name) }
    pod.update(try await ask { store throws(StoreError) in try store.pod(name) })
  }

  /// Only into a directory that nobody has used, and never for a pod that has served anybody else.
  private func bringProgramInTurn(_ program: String, of user: UserName, _ pod: Pod) async throws(Refusal) {
    defer { pod.arrivingProgram = nil }
    guard pod.record.served == .only(user) else { return }
    let directory = userFiles.directory(of: pod.record)
    let isBrought: Bool
    do throws(Errno) {
      isBrought = try await userFiles.run { moves throws(Errno) in
        try moves.bringProgram(program, of: user, to: directory)
      }
    } catch {
      throw Refusal.data(error, "what was stored for \(user) cannot be brought to \(pod.name)")
    }
    guard isBrought else {
      return Log.notice(
        "\(pod.name) is in use already: what was stored for \(user) stays in \(userFiles.places.keptPrograms(of: user))/\(program)."
      )
    }
    try await ask { store throws(StoreError) in try store.programArrived(user: user) }
  }

  // MARK: After a start of podd

  /// What launches have to know. To be called before any.
  func loadDataWork() async throws(StoreError) {
    for user in try await store.run({ store throws(StoreError) in try store.unsettled() }) {
      noteProgram(of: user)
    }
  }

  /// Finishes what was under way when an earlier podd ended. It may take long, and nobody waits for it: a user whose data
  /// has not arrived is the only one to go without.
  func finishDataWork() async {
    do throws(Errno) {
      try await userFiles.run { moves throws(Errno) in try moves.removeTaken() }
    } catch {
      Log.error("What was removed from pods still lies in \(userFiles.places.removing): \(error)")
    }
    guard let unsettled = try? await store.run({ store throws(StoreError) in try store.unsettled() }) else {
      return
    }
    // A few at a time: a large tree must not keep all others waiting, nor many of them the disk busy.
    let slots = AsyncSemaphore(4)
    for user in unsettled {
      finish(user.name.text, slots) { () async throws(Refusal) in try await self.finishDataWork(of: user) }
    }
    for pod in pods.values.sorted(by: { $0.name < $1.name }) where pod.record.cleaning != nil {
      finish(pod.name.description, slots) { () async throws(Refusal) in try await self.clean(pod) }
    }
  }

  private func finish(
    _ what: String, _ slots: AsyncSemaphore, _ body: @escaping @LoopActor () async throws(Refusal) -> Void
  ) {
    loopTask {
      await slots.acquire()
      defer { slots.release() }
      do throws(Refusal) { try await body() } catch { Log.error("\(what): \(error.message)") }
    }
  }

  private func finishDataWork(of user: UserRecord) async throws(Refusal) {
    await userTurns.take(user.name)
    defer { userTurns.end(user.name) }
    guard user.pod != nil else {
      // As in `deprovision`, which may be repeated later: it has nothing to withdraw once the data is put aside.
      if let pod = user.keptFrom.flatMap({ pods[$0] }) { try await withdrawUsers(from: pod, isNew: false) }
      return try await settleDeparture(of: user.name)
    }
    try await settleArrival(of: user.name)
    // The pod was launched without this user.
    if let pod = user.pod.flatMap({ pods[$0] }) { try await pod.knowsUsers() }
  }
}

extension Pod {
  /// Whether a generation of it lives, or is being launched into its directory.
  var isOccupied: Bool {
    machine.generations.contains { if case .waiting = $0.phase { false } else { true } }
  }

  /// Makes its program know its users as they are now, as a call does.
  func knowsUsers(_ reach: PodMachine.Reach = .serving, isNew: Bool = true) async throws(Refusal) {
    do throws(UsersFile.Failure) {
      try await deliverUsers(to: reach, isNew: isNew)
    } catch {
      throw Refusal(error)
    }
  }
}
