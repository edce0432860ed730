import GRDB
public import PodModel
public import Time

extension PlacementStore {
  /// Records that users have used the front door: one transaction, whatever their number. A later time stays, and users
  /// who are not known are left out.
  ///
  /// - Parameter now: What lies after it has not happened, whoever says so: the clock was set back.
  public func recordUse(_ uses: [(user: UserName, at: WallTime)], now: WallTime) throws(StoreError) {
    try write { db in
      let statement = try db.cachedStatement(
        sql: """
          UPDATE user SET last_used_at = :at
          WHERE name = :name AND (last_used_at IS NULL OR last_used_at < :at OR last_used_at > :now)
          """)
      for use in uses {
        try statement.execute(arguments: ["name": use.user.text, "at": min(use.at, now), "now": now])
      }
    }
  }

  /// Who has ever used the front door, and when last; by name.
  public func lastUses() throws(StoreError) -> [(user: UserName, at: WallTime)] {
    try read { db in
      let sql = "SELECT name, last_used_at FROM user WHERE last_used_at IS NOT NULL ORDER BY name"
      return try Row.fetchCursor(db.cachedStatement(sql: sql)).reduce(into: []) {
        $0.append((try decode($1, "name", UserName.init(stored:)), $1["last_used_at"]))
      }
    }
  }
}
