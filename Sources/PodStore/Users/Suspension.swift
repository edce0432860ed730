import GRDB
public import PodModel
public import Time

/// The result of a `suspend` or a `resume`.
public struct AccessChange: Sendable, Equatable {
  /// The user as it is now.
  public var user: UserRecord
  public var pod: PodRecord
  /// False: the user had this status before.
  public var isNew: Bool
}

extension PlacementStore {
  /// Ends a user's access. The user keeps the place and the data.
  ///
  /// - Throws: `.noSuchUser`, also for a deleted user.
  public func suspend(user name: UserName, now: WallTime) throws(StoreError) -> AccessChange {
    try setStatus(.suspended, user: name, token: nil, now: now)
  }

  /// Gives a suspended user access again.
  ///
  /// - Parameter token: a fresh secret, because the pod's program has known the earlier one; unused for an active user.
  /// - Throws: `.noSuchUser`, also for a deleted user.
  public func resume(user name: UserName, token: String, now: WallTime) throws(StoreError) -> AccessChange {
    try setStatus(.active, user: name, token: token, now: now)
  }

  /// - Parameter token: nil keeps the token.
  private func setStatus(
    _ status: UserRecord.Status, user name: UserName, token: String?, now: WallTime
  ) throws(StoreError) -> AccessChange {
    try write { db in
      guard let before = try Self.user(db, name), before.pod != nil else { throw StoreError.noSuchUser(name) }
      let isNew = before.status != status
      if isNew {
        let epoch = try Self.nextEpoch(db, after: before)
        try db.cachedStatement(
          sql: """
            UPDATE user SET status = ?, token = coalesce(?, token), epoch = ?, changed_at = ? WHERE name = ?
            """
        ).execute(arguments: [status.rawValue, token, epoch, now, name.text])
      }
      guard let user = try Self.user(db, name), let number = user.pod?.number,
        let pod = try Self.pod(db, number)
      else { throw StoreError.noSuchUser(name) }
      return AccessChange(user: user, pod: pod, isNew: isNew)
    }
  }
}
