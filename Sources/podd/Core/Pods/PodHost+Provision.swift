import Glibc
import Linux
import PodAPI
import PodModel
import PodStore
import Systemd

extension PodHost {
  /// Places a user and, unless `cold`, waits until their pod serves. When it cannot serve, the placement is taken back, so
  /// that a failed call leaves nothing behind.
  func provision(user: UserName, tier wanted: String, cold: Bool) async throws(Refusal) -> Placement {
    let tier = try resolveTier(wanted)
    await userTurns.take(user)
    defer { userTurns.end(user) }
    let placed = try await place(user, tier, wanted: wanted, cold: cold)
    let pod = add(placed.pod)
    do throws(Refusal) {
      if placed.createdUser { try await settle(placed) }
      if cold {
        if placed.createdUser && pod.state.hasScope { try await refreshUsers(pod) }
        if pod.state == .cold { pod.wakeOnConnect.update() }
      } else {
        try await serve(pod, refresh: placed.createdUser)
      }
    } catch {
      await takeBack(placed, pod)
      throw error
    }
    pod.wasMadeInVain = false
    if placed.createdUser {
      report(.userProvisioned(user, pod.subject))
    }
    return placement(placed, pod, created: placed.createdUser)
  }

  private func resolveTier(_ wanted: String) throws(Refusal) -> Tier {
    do throws(Configuration.Failure) {
      let tier = try configuration.tier(wanted.isEmpty ? settings.defaultTier : wanted).tier
      // A tier whose workload is broken must not get users.
      _ = try configuration.workload(of: tier)
      return tier
    } catch {
      throw Refusal(error)
    }
  }

  private func place(
    _ user: UserName, _ tier: Tier, wanted: String, cold: Bool
  ) async throws(Refusal) -> Provisioned {
    let token = Self.newToken()
    let ports = settings.portRange
    let now = Clock.wall
    var uids = VettedUIDs()
    while true {
      let known = uids
      do throws(StoreError) {
        return try await store.run { store throws(StoreError) in
          try store.provision(
            user: user, tier: tier.name, usersPerPod: tier.usersPerPod, portRange: ports, token: token,
            wantRunning: !cold, insistOnTier: !wanted.isEmpty, isFree: { PodSocket.isFree(port: $0) },
            uids: known, now: now)
        }
      } catch .unvettedUID(let uid) {
        try await vet(uid, &uids)
      } catch {
        throw Refusal(error)
      }
    }
  }

  /// Finds out whether an account of the host has the user id that a new pod would get.
  private func vet(_ uid: UInt32, _ uids: inout VettedUIDs) async throws(Refusal) {
    let pod = PodName(number: Int(uid) - PodRecord.firstUID)
    guard let owner = await Accounts.owner(ofID: uid, exceptFor: pod) else {
      uids.free.insert(Int(uid))
      return
    }
    Log.notice("There is no \(pod): its user id \(uid) belongs to \(owner), an account of this host.")
    uids.taken.insert(Int(uid))
    guard uids.taken.count < Self.mostTakenUIDs else {
      throw Refusal(
        .addressesExhausted,
        "no pod can be added: \(uids.taken.count) user ids up to \(uid), which belongs to \(owner), are those of "
          + "accounts of this host; keep the ids from \(PodRecord.firstUID) on free in the directory service")
    }
  }

  /// A directory that has given away so many of the ids in a row has given away the whole range.
  private static let mostTakenUIDs = 32

  /// The user's directory, with the data of an earlier life if there is some.
  private func settle(_ placed: Provisioned) async throws(Refusal) {
    do throws(Errno) {
      try await userFiles.ensure([placed.user], in: placed.pod.name, uid: placed.pod.uid)
    } catch {
      throw Refusal(error)
    }
    guard placed.user.keptFrom != nil else { return }
    let name = placed.user.name
    try await ask { store throws(StoreError) in try store.dataSettled(user: name) }
  }

  func serve(_ pod: Pod, refresh: Bool) async throws(Refusal) {
    let wasStarting = pod.state == .starting || pod.state == .frozen
    if try admit(.serve, pod) {
      pod.handle(.start)
    } else if pod.state == .ready, refresh || pod.usersAreStale {
      try await refreshUsers(pod)
    }
    if let reason = await pod.waitUntilReady() { try await refuseStart(of: pod, reason) }
    // The program may have read its users file before this user was placed.
    if refresh && wasStarting { try await refreshUsers(pod) }
  }

  private func refreshUsers(_ pod: Pod) async throws(Refusal) {
    do throws(UsersFile.Failure) {
      try await pod.refreshUsers()
    } catch {
      throw Refusal(error)
    }
  }

  private func takeBack(_ placed: Provisioned, _ pod: Pod) async {
    // A connection must not wake a pod that is about to be removed.
    pod.wakeOnConnect.lockCount += 1
    defer { pod.wakeOnConnect.unlock() }
    if placed.createdPod || placed.wokePod, pod.record.users <= 1 {
      // No other user is placed on it. After a start timeout its scope is only being stopped, and it would be launched again.
      pod.handle(.stop(.operator, then: .cold))
      await pod.waitUntilGone()
    }
    if placed.createdUser { await takeBackData(placed, pod) }
    do throws(StoreError) {
      try await undo(placed, pod)
    } catch {
      Log.error("The placement of \(placed.user.name) could not be taken back: \(error)")
    }
    if placed.createdUser {
      // A launch that had read the users before that may have made the directory again. It writes no later than this: it
      // reads the users once more when they are stale.
      await userFiles.writers.take(pod.name)
      rmdir(UserFiles.directory(of: placed.user.name, in: pod.name))
      await takeBackData(placed, pod)
      userFiles.writers.end(pod.name)
      if pods[pod.name] == nil { rmdir(UserFiles.directory(of: pod.name)) }
    }
    // The other users keep their pod, without this user.
    if pods[pod.name] != nil && pod.state == .ready { try? await pod.refreshUsers() }
  }

  private func takeBackData(_ placed: Provisioned, _ pod: Pod) async {
    do throws(Errno) {
      if placed.revived == nil {
        try await userFiles.remove(placed.user.name, from: pod.name)
      } else {
        try await userFiles.putAside(placed.user.name, from: pod.name)
      }
    } catch {
      Log.warning("\(placed.user.name): \(error)")
    }
  }

  /// The last of several provisions that fail on one new pod removes the pod.
  private func undo(_ placed: Provisioned, _ pod: Pod) async throws(StoreError) {
    let name = pod.name
    var undone = placed
    undone.createdPod = placed.createdPod || pod.wasMadeInVain
    let isGone = try await undo(undone)
    pod.markUsersStale()
    if isGone { return remove(pod) }
    let record = try await store.run { store throws(StoreError) in try store.pod(name) }
    pod.wishTakenBack(record)
    guard undone.createdPod else { return }
    pod.wasMadeInVain = true
    guard record.users == 0 else { return }
    pod.handle(.stop(.operator, then: .cold))
    await pod.waitUntilGone()
    undone.createdUser = false
    if pods[name] === pod, try await undo(undone) { remove(pod) }
  }

  /// Returns whether the pod's row is gone.
  private func undo(_ placed: Provisioned) async throws(StoreError) -> Bool {
    try await store.run { store throws(StoreError) in
      try store.undoProvision(placed, dataPutAside: placed.revived != nil)
    }
  }

  private func placement(_ placed: Provisioned, _ pod: Pod, created: Bool) -> Placement {
    Placement(
      user: placed.user.name.text, tier: placed.user.tier, pod: pod.name.description,
      unit: pod.scope?.unit.description, address: placed.pod.address,
      frontAddress: placed.pod.frontAddress, port: UInt16(clamping: placed.pod.port),
      state: pod.state.rawValue, created: created)
  }

  /// 256 random bits, in hex.
  private static func newToken() -> String {
    var generator = SystemRandomNumberGenerator()
    return (0..<4).map { _ in padded(generator.next() as UInt64, toWidth: 16, radix: 16) }.joined()
  }
}
