import GRDB
public import PodModel
public import Time

/// The result of a `deprovision`.
public struct Deprovisioned: Sendable, Equatable {
  /// The user as it was before.
  public var user: UserRecord
  /// The user's pod as it is now; nil when the user had been deleted before.
  public var pod: PodRecord?
}

extension PlacementStore {
  /// Removes a user's placement and token. Without `purge`, the user stays on record as deleted, with the pod
  /// in whose directory the data lies until podd has put the data aside and calls `dataSettled`. With
  /// `purge`, no record is left: remove the data first, because after a crash in between the next user of
  /// that name would get it. A deleted user can be purged; deleting a user again changes nothing.
  ///
  /// - Throws: `.noSuchUser`; `.conflict` while the data of a revived user is not settled, because there
  ///   would be two places to record.
  public func deprovision(user name: UserName, purge: Bool, now: WallTime) throws(StoreError) -> Deprovisioned
  {
    try write { db in
      guard let before = try Self.user(db, name) else { throw StoreError.noSuchUser(name) }
      if purge {
        try db.cachedStatement(sql: "DELETE FROM user WHERE name = ?").execute(arguments: [name.text])
      } else if let pod = before.pod {
        guard before.keptFrom == nil else {
          throw StoreError.conflict("The data of \(name) is still being moved to \(pod): try again.")
        }
        let epoch = try Self.nextEpoch(db, after: before)
        try db.cachedStatement(
          sql: """
            UPDATE user SET status = 'deleted', kept_from = pod, pod = NULL, token = NULL, epoch = ?,
              changed_at = ? WHERE name = ?
            """
        ).execute(arguments: [epoch, now, name.text])
      }
      return Deprovisioned(user: before, pod: try before.pod.flatMap { try Self.pod(db, $0.number) })
    }
  }

  /// Records that podd has moved the user's data: aside for a deleted user, into the pod's directory for a
  /// revived one.
  public func dataSettled(user name: UserName) throws(StoreError) {
    try write { db in
      try db.cachedStatement(sql: "UPDATE user SET kept_from = NULL WHERE name = ?")
        .execute(arguments: [name.text])
      if db.changesCount == 0 { throw StoreError.noSuchUser(name) }
    }
  }

  /// The deleted and revived users whose data has still to be moved, which podd does at its start.
  public func unsettled() throws(StoreError) -> [UserRecord] {
    try read { db in
      try Self.users(db, where: "kept_from IS NOT NULL ORDER BY kept_from, name", [])
    }
  }
}
