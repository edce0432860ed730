import GRDB

/// Which pod a new user gets. This decision is SQL and not in PodModel, because a query over the pods' index reads one
/// row where a function would have to read them all, within the transaction that places the user. The tests compare it
/// with a model in Swift (Tests/PodStoreTests/ModelTests.swift).
extension PlacementStore {
  /// The fullest pod of the tier with room for one more user, of several the one with the lowest number; nil: the user
  /// needs a new pod. Pods that an operator stopped, pods that hit their start limit, and pods that
  /// still have what they stored for their former users are not chosen.
  static func fullestWithRoom(_ db: Database, tier: String, usersPerPod: Int) throws -> Int? {
    try Int.fetchOne(
      db.cachedStatement(
        sql: """
          SELECT number FROM pod
          WHERE host = ? AND tier = ? AND users < ? AND wanted <> 'stopped' AND state_hold = 0
            AND cleaning IS NULL
          ORDER BY users DESC, number LIMIT 1
          """), arguments: [host, tier, usersPerPod])
  }
}
