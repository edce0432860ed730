import GRDB
public import PodModel

/// What lies in the directories of pods whose last user has left (decision 0021).
extension PlacementStore {
  /// The pods whose directory has still to be put aside or removed: all, or those whose last user was `user`.
  public func podsDueForCleaning(lastUser user: UserName? = nil) throws(StoreError) -> [PodRecord] {
    try read { db in
      let condition = user == nil ? "" : " AND last_user = ?"
      let sql = "SELECT \(PodRecord.columns) FROM pod WHERE cleaning IS NOT NULL\(condition)"
      return try Row.fetchCursor(
        db.cachedStatement(sql: sql), arguments: user.map { [$0.text] } ?? []
      ).reduce(into: []) { $0.append(try PodRecord($1)) }
    }
  }

  /// Records that nothing is left in the directory of a pod without users, so that it can get users again.
  ///
  /// - Parameters:
  ///   - keptAs: the name under which what its program stored was put aside with the last user; nil: it had stored
  ///     nothing, or it was removed. It comes back to a user whom alone the pod had served.
  ///   - remove: removes the pod's row, unless a generation of it is open.
  /// - Returns: whether the pod's row is gone.
  /// - Throws: `.noSuchPod`; `.conflict` for a pod that is not due for cleaning (or, with `remove`, clean), or in whose directory data of users
  ///   lies.
  public func podCleaned(
    _ name: PodName, keptAs: String? = nil, remove: Bool = false
  ) throws(StoreError) -> Bool {
    try write { db in
      guard let pod = try Self.pod(db, name.number) else { throw StoreError.noSuchPod(name) }
      let owner = try String.fetchOne(
        db.cachedStatement(sql: "SELECT name FROM user WHERE \(Self.isUnsettled) AND kept_from = ? LIMIT 1"),
        arguments: [name.number])
      let isClean = pod.cleaning == nil && pod.served == .nobody
      guard pod.cleaning != nil || remove && isClean, pod.users == 0, owner == nil else {
        throw StoreError.conflict(
          "\(name) is not to be cleaned: it has \(owner.map { "data of \($0)" } ?? "\(pod.users) users").")
      }
      if let keptAs, let user = pod.cleaning?.user, pod.served == .only(user) {
        try db.cachedStatement(sql: "UPDATE user SET program_kept = ? WHERE name = ? AND purging = 0")
          .execute(arguments: [keptAs, user.text])
      }
      if remove, try !Self.hasOpenGeneration(db, name.number) {
        try db.cachedStatement(sql: "DELETE FROM pod WHERE number = ?").execute(arguments: [name.number])
        return true
      }
      try db.cachedStatement(
        sql: "UPDATE pod SET cleaning = NULL, last_user = NULL, served = NULL, layout = ? WHERE number = ?"
      ).execute(arguments: [PodRecord.Layout.apart.rawValue, name.number])
      return false
    }
  }

  /// Records that the directories of the pod's users lie in a directory of their own.
  public func layoutMigrated(pod name: PodName) throws(StoreError) {
    try write { db in
      try db.cachedStatement(sql: "UPDATE pod SET layout = ? WHERE number = ?")
        .execute(arguments: [PodRecord.Layout.apart.rawValue, name.number])
      if db.changesCount == 0 { throw StoreError.noSuchPod(name) }
    }
  }
}
