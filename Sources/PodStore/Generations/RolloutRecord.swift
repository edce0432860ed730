import GRDB
public import PodModel
public import Time

/// A rollout of a tier, from which `resume` and `revert` continue.
public struct RolloutRecord: Sendable, Equatable {
  public var tier: String
  /// A pod whose generation began later has been replaced.
  public var startedAt: WallTime
  public var state: Rollout.Outcome
  /// The pod at which it stopped, and why.
  public var failed: String?

  public init(tier: String, startedAt: WallTime, state: Rollout.Outcome, failed: String? = nil) {
    self.tier = tier
    self.startedAt = startedAt
    self.state = state
    self.failed = failed
  }
}

extension PlacementStore {
  /// The tier's latest rollout; nil before the first.
  public func rollout(ofTier tier: String) throws(StoreError) -> RolloutRecord? {
    try read { db in
      let sql = "SELECT tier, started_at, state, failed FROM rollout WHERE tier = ?"
      guard let row = try Row.fetchOne(db, sql: sql, arguments: [tier]) else { return nil }
      return RolloutRecord(
        tier: row["tier"], startedAt: row["started_at"],
        state: try decode(row, "state", Rollout.Outcome.init(rawValue:)), failed: row["failed"])
    }
  }

  /// Records it in place of the tier's previous one.
  public func setRollout(_ rollout: RolloutRecord) throws(StoreError) {
    try write { db in
      try db.execute(
        sql: "INSERT OR REPLACE INTO rollout (tier, started_at, state, failed) VALUES (?, ?, ?, ?)",
        arguments: [rollout.tier, rollout.startedAt, rollout.state.rawValue, rollout.failed])
    }
  }
}
