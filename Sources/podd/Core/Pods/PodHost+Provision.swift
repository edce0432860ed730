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
      try await settle(placed, pod)
      if cold {
        if placed.createdUser && pod.state.hasScope { try await pod.knowsUsers() }
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
      onUserChange(placed.user)
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
    var hasRemoved = false
    while true {
      let known = uids
      do throws(StoreError) {
        let placed = try await store.run { store throws(StoreError) -> Provisioned? in
          // An earlier call could not remove all data of a user of this name.
          if let earlier = try? store.user(user), earlier.isPurging { return nil }
          return try store.provision(
            user: user, tier: tier.name, usersPerPod: tier.usersPerPod, portRange: ports, token: token,
            wantRunning: !cold, insistOnTier: !wanted.isEmpty, isFree: { PodSocket.isFree(port: $0) },
            uids: known, now: now)
        }
        if let placed { return placed }
      } catch .unvettedUID(let uid) {
        try await vet(uid, &uids)
        continue
      } catch {
        throw Refusal(error)
      }
      if hasRemoved { throw Refusal(.busy, "the data of \(user) is still being removed: try again") }
      try await settleDeparture(of: user)
      hasRemoved = true
    }
  }

  /// Finds out whether an account of the host has the user id that a new pod would get.
  private func vet(_ uid: UInt32, _ uids: inout VettedUIDs) async throws(Refusal) {
    let pod = PodName(number: Int(uid) - PodName.firstUID)
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
          + "accounts of this host; keep the ids from \(PodName.firstUID) on free in the directory service")
    }
  }

  /// A directory that has given away so many of the ids in a row has given away the whole range.
  private static let mostTakenUIDs = 32

  /// The user's directory, with the data of an earlier life if there is some.
  private func settle(_ placed: Provisioned, _ pod: Pod) async throws(Refusal) {
    let user = placed.user.name
    if placed.user.isArriving { try await settleArrival(of: user) }
    do throws(Errno) {
      if let trouble = try userFiles.directory(of: pod.record).ensure([user])[user] { throw trouble }
    } catch {
      throw Refusal.data(error, "\(user) cannot use \(pod.name)")
    }
    if pod.userTroubles[user] != nil { try await pod.knowsUsers() }
  }

  func serve(_ pod: Pod, refresh: Bool) async throws(Refusal) {
    let wasStarting = pod.state == .starting || pod.state == .frozen
    if try admit(.serve, pod) {
      pod.handle(.start)
    } else if pod.state == .ready, refresh || pod.machine.hasStaleUsers {
      try await pod.knowsUsers()
      // Somebody froze it meanwhile. This call thaws it, as it would have done if the freeze had come before it.
      if pod.state == .frozen, try admit(.serve, pod) { pod.handle(.start) }
    }
    if let reason = await pod.waitUntilReady() { try await refuseStart(of: pod, reason) }
    // The program may have read its users file before this user was placed.
    if refresh && wasStarting { try await pod.knowsUsers() }
  }

  /// On record first, as in `deprovision`: whatever happens then, the store knows what is still to be done with the data.
  private func takeBack(_ placed: Provisioned, _ pod: Pod) async {
    // A connection must not wake a pod that is about to be removed.
    pod.wakeOnConnect.lockCount += 1
    defer { pod.wakeOnConnect.unlock() }
    if placed.createdPod || placed.wokePod, pod.record.activeUsers <= 1 {
      // No other user is placed on it. After a start timeout its scope is only being stopped, and it would be launched again.
      pod.handle(.stop(.operator, then: .cold))
      await pod.waitUntilGone()
    }
    do throws(Refusal) {
      let name = pod.name
      let (gone, record) = try await ask { store throws(StoreError) in
        (try store.undoProvision(placed), try store.pod(name))
      }
      if let gone { onUserChange(gone) }
      if placed.createdPod { pod.wasMadeInVain = true }
      pod.wishTakenBack(record)
      // The other users keep their pod, without this user.
      if record.users > 0 { try await withdrawUsers(from: pod) }
      guard placed.createdUser else { return }
      try await settleDeparture(of: placed.user.name)
      if record.cleaning != nil { try await clean(pod, removing: pod.wasMadeInVain) }
    } catch {
      Log.error("The placement of \(placed.user.name) could not be taken back: \(error.message)")
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
  static func newToken() -> String {
    var generator = SystemRandomNumberGenerator()
    return (0..<4).map { _ in padded(generator.next() as UInt64, toWidth: 16, radix: 16) }.joined()
  }
}
