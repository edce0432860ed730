import GRDB
public import PodModel
public import Time

/// The result of a `provision`, which `undoProvision` can undo.
public struct Provisioned: Sendable, Equatable {
  public var user: UserRecord
  public var pod: PodRecord
  /// Whether this call placed the user; false: the user had a placement and keeps it.
  public var createdUser: Bool
  public var createdPod: Bool
  /// Whether this call turned the pod from `cold` to `run`.
  public var wokePod: Bool
  /// The deleted user that this call revived, as it was.
  public var revived: UserRecord?
}

extension PlacementStore {
  /// Places a user: on the fullest pod of the tier with room (ties: the lowest number), else on a new pod.
  /// Pods that an operator stopped, pods that hit their start limit, and pods due for cleaning are not chosen. A
  /// user who has a placement keeps it, whatever `tier` says; a deleted user is placed again, with this token, and
  /// is recorded as arriving: the data has still to be brought.
  ///
  /// - Parameters:
  ///   - usersPerPod: the tier's limit, at least 1.
  ///   - portRange: a new pod gets the lowest free port of it.
  ///   - isFree: whether no program of the host has a port. It is called within the transaction, so it must not wait.
  ///   - token: a fresh secret; unused when the user has a placement.
  ///   - wantRunning: turns the pod from `cold` to `run`, in the same transaction.
  ///   - insistOnTier: refuses a user who is placed in another tier.
  ///   - isFree: whether no other program of the host has a port.
  ///   - uids: which user ids a new pod may have.
  /// - Throws: `.unvettedUID`, `.portRangeExhausted`, `.addressesExhausted`, `.suspended`, `.otherTier`, `.conflict` (also for a user
  ///   whose data is being removed), or an error of the file; `.full` is thrown while there is still room to undo the
  ///   placement.
  public func provision(
    user name: UserName, tier: String, usersPerPod: Int, portRange: ClosedRange<Int>, token: String,
    wantRunning: Bool, insistOnTier: Bool = false, isFree: (Int) -> Bool = { _ in true },
    uids: VettedUIDs = .all, now: WallTime
  ) throws(StoreError) -> Provisioned {
    guard usersPerPod > 0 else {
      throw .conflict("Tier \(tier) allows no users on a pod: set UsersPerPod= to at least 1.")
    }
    return try write { db in
      let before = try Self.user(db, name)
      if before?.isPurging == true {
        throw StoreError.conflict("The data of \(name) is still being removed: try again.")
      }
      let number: Int
      var createdPod = false
      let createdUser: Bool
      if let before, let pod = before.pod {
        if before.status == .suspended { throw StoreError.suspended(name) }
        if insistOnTier && before.tier != tier { throw StoreError.otherTier(user: name, tier: before.tier) }
        createdUser = false
        number = pod.number
      } else {
        createdUser = true
        // The user needs a directory and a users file, and a placement that fails has to be taken back:
        // without a free block neither could be written.
        try StoreFile.require(StoreFile.Room(bytes: 1 << 20, inodes: 16, countsReserved: true), for: file)
        if let roomy = try Self.fullestWithRoom(db, tier: tier, usersPerPod: usersPerPod) {
          number = roomy
        } else {
          createdPod = true
          number = try createPod(
            db, tier: tier, portRange: portRange, isFree: isFree, uids: uids, now: now)
        }
        try Self.place(db, user: name, replacing: before, on: number, tier: tier, token: token, now: now)
      }
      var wokePod = false
      if wantRunning {
        try db.cachedStatement(sql: "UPDATE pod SET wanted = 'run' WHERE number = ? AND wanted = 'cold'")
          .execute(arguments: [number])
        wokePod = db.changesCount == 1
      }
      guard let user = try Self.user(db, name), let pod = try Self.pod(db, number) else {
        throw StoreError.noSuchUser(name)
      }
      return Provisioned(
        user: user, pod: pod, createdUser: createdUser, createdPod: createdPod, wokePod: wokePod,
        revived: createdUser ? before : nil)
    }
  }

  /// Takes back what a provision recorded, because its pod could not be launched: the placement, and the wish that
  /// the pod run.
  ///
  /// A revived user is deleted again, and a new one is deleted with all data; `unsettled` lists both until podd has
  /// done that. A pod without users is due for cleaning, after which ``podCleaned(_:keptAs:remove:)`` removes the row
  /// of a pod that this provision created.
  ///
  /// - Returns: the user as it is now; nil when the provision had not placed the user.
  /// - Throws: `.conflict` when the user's placement has changed since.
  @discardableResult
  public func undoProvision(_ done: Provisioned) throws(StoreError) -> UserRecord? {
    let number = done.pod.name.number
    return try write { db in
      if done.createdUser {
        guard let current = try Self.user(db, done.user.name), current.epoch == done.user.epoch else {
          throw StoreError.conflict(
            "The placement of \(done.user.name) has changed since it was made: it is not taken back.")
        }
        let before = done.revived
        try db.cachedStatement(
          sql: """
            UPDATE user SET pod = NULL, token = NULL, status = 'deleted', tier = ?, epoch = ?,
              kept_from = coalesce(kept_from, pod), arriving = 0, purging = ?, changed_at = ? WHERE name = ?
            """
        ).execute(
          arguments: [
            before?.tier ?? current.tier, before?.epoch ?? current.epoch, before == nil,
            before?.changedAt ?? current.changedAt, current.name.text,
          ])
      }
      if done.wokePod, try !Self.hasOpenGeneration(db, number) {
        try db.cachedStatement(sql: "UPDATE pod SET wanted = 'cold' WHERE number = ? AND wanted = 'run'")
          .execute(arguments: [number])
      }
      return done.createdUser ? try Self.user(db, done.user.name) : nil
    }
  }

  private static func place(
    _ db: Database, user: UserName, replacing before: UserRecord?, on pod: Int, tier: String, token: String,
    now: WallTime
  ) throws {
    let epoch = try nextEpoch(db, after: before)
    // kept_from stays as it is: the data of a revived user may still lie in the directory of the former pod.
    try db.cachedStatement(
      sql: """
        INSERT INTO user (name, pod, tier, token, status, epoch, created_at, changed_at)
        VALUES (:name, :pod, :tier, :token, 'active', :epoch, :now, :now)
        ON CONFLICT (name) DO UPDATE SET pod = excluded.pod, tier = excluded.tier, token = excluded.token,
          status = 'active', epoch = excluded.epoch, changed_at = excluded.changed_at, arriving = 1
        """
    ).execute(arguments: [
      "name": user.text, "pod": pod, "tier": tier, "token": token, "epoch": epoch, "now": now,
    ])
  }

  /// The next epoch of this host, above what the placement had.
  static func nextEpoch(_ db: Database, after before: UserRecord?) throws -> Int64 {
    let epoch = try Int64.fetchOne(
      db.cachedStatement(sql: "UPDATE host SET epoch = max(epoch, ?) + 1 WHERE id = ? RETURNING epoch"),
      arguments: [before?.epoch ?? 0, host])
    guard let epoch else { throw UnknownValue(description: "table host has no row \(host)") }
    return epoch
  }
}
