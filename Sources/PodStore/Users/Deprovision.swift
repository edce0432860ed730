import GRDB
public import PodModel
public import Time

/// The result of a `deprovision`.
public struct Deprovisioned: Sendable, Equatable {
  /// The user as it was before.
  public var user: UserRecord
  /// The user as it is now.
  public var deleted: UserRecord
  /// The user's pod as it is now; nil when the user had been deleted before.
  public var pod: PodRecord?
}

extension PlacementStore {
  /// Removes a user's placement and token. The user stays on record as deleted, with the pod in whose directory the
  /// data lies until podd has put the data aside and calls `dataPutAside`. With `purge` it is also on record that the
  /// data is to be removed, until podd calls `forget`: after a crash in between, nobody of that name gets it. A pod
  /// that has lost its last user is due for cleaning. A deleted user can be purged; deleting a user again changes
  /// nothing.
  ///
  /// - Throws: `.noSuchUser`.
  public func deprovision(user name: UserName, purge: Bool, now: WallTime) throws(StoreError) -> Deprovisioned
  {
    try write { db in
      guard let before = try Self.user(db, name) else { throw StoreError.noSuchUser(name) }
      if before.pod != nil {
        let epoch = try Self.nextEpoch(db, after: before)
        try db.cachedStatement(
          sql: """
            UPDATE user SET status = 'deleted', kept_from = coalesce(kept_from, pod), pod = NULL, token = NULL,
              arriving = 0, purging = ?, epoch = ?, changed_at = ? WHERE name = ?
            """
        ).execute(arguments: [purge, epoch, now, name.text])
      } else if purge {
        try db.cachedStatement(sql: "UPDATE user SET purging = 1 WHERE name = ?").execute(arguments: [
          name.text
        ])
      }
      if purge {
        try db.cachedStatement(
          sql: "UPDATE pod SET cleaning = 'remove' WHERE cleaning IS NOT NULL AND last_user = ?"
        ).execute(arguments: [name.text])
      }
      guard let deleted = try Self.user(db, name) else { throw StoreError.noSuchUser(name) }
      return Deprovisioned(
        user: before, deleted: deleted, pod: try before.pod.flatMap { try Self.pod(db, $0.number) })
    }
  }

  // MARK: What has still to be done with data

  /// Records that nothing of the user's data lies in the directory of the pod it was last placed on.
  public func dataPutAside(user name: UserName) throws(StoreError) {
    try update(name, "UPDATE user SET kept_from = NULL WHERE name = ?")
  }

  /// Records that the data of a placed user lies in the pod's directory, for good.
  public func dataArrived(user name: UserName) throws(StoreError) {
    try update(name, "UPDATE user SET kept_from = NULL, arriving = 0 WHERE name = ?")
  }

  /// Records that what a program had stored for this user lies in the pod's directory again.
  public func programArrived(user name: UserName) throws(StoreError) {
    try update(name, "UPDATE user SET program_kept = NULL WHERE name = ?")
  }

  /// Removes the record of a user whose data was removed.
  ///
  /// - Throws: `.noSuchUser`, also for a user who is not to be purged.
  public func forget(user name: UserName) throws(StoreError) {
    try update(name, "DELETE FROM user WHERE name = ? AND purging = 1")
  }

  private func update(_ name: UserName, _ sql: String) throws(StoreError) {
    try write { db in
      try db.cachedStatement(sql: sql).execute(arguments: [name.text])
      if db.changesCount == 0 { throw StoreError.noSuchUser(name) }
    }
  }

  /// The users whose data has still to be put aside, brought or removed.
  public func unsettled() throws(StoreError) -> [UserRecord] {
    try read { db in
      try Self.users(db, where: "\(Self.isUnsettled) ORDER BY name", [])
    }
  }

  /// The condition of the index `user_unsettled`.
  static let isUnsettled = "(kept_from IS NOT NULL OR arriving = 1 OR purging = 1)"
}
