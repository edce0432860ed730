import GRDB
public import PodModel
public import Time

/// One text of a workload's settings: the file and its drop-ins, one after the other.
public struct WorkloadVersion: Sendable, Hashable {
  public var workload: String
  /// A fingerprint of `text`.
  public var version: String
  public var text: String

  public init(workload: String, version: String, text: String) {
    self.workload = workload
    self.version = version
    self.text = text
  }
}

extension PlacementStore {
  /// How many versions of a workload are kept.
  static let versionsKept = 5

  /// Records that a pod has served with this version for a while.
  public func workloadServed(_ version: WorkloadVersion, now: WallTime) throws(StoreError) {
    try write { db in
      try db.execute(
        sql: """
          INSERT INTO workload_version (workload, version, text, served_at) VALUES (?, ?, ?, ?)
            ON CONFLICT (workload, version) DO UPDATE SET served_at = excluded.served_at
          """, arguments: [version.workload, version.version, version.text, now])
      try db.execute(
        sql: """
          DELETE FROM workload_version WHERE workload = ?1 AND version NOT IN
            (SELECT version FROM workload_version WHERE workload = ?1 AND served_at IS NOT NULL
             ORDER BY served_at DESC LIMIT ?2)
            AND NOT EXISTS (SELECT 1 FROM generation WHERE ended_at IS NULL
             AND generation.workload = ?1 AND generation.workload_version = workload_version.version)
          """, arguments: [version.workload, Self.versionsKept])
    }
  }

  /// Records that a rollout to this version has stopped or, with nil, has succeeded.
  public func setRolloutStopped(_ version: WorkloadVersion, at: WallTime?) throws(StoreError) {
    try write { db in
      try db.execute(
        sql: "UPDATE workload_version SET stopped_at = ? WHERE workload = ? AND version = ?",
        arguments: [at, version.workload, version.version])
    }
  }

  /// Keeps the text with which a generation is launched, for as long as it runs.
  static func keep(_ version: WorkloadVersion, _ db: Database) throws {
    try db.cachedStatement(
      sql: "INSERT OR IGNORE INTO workload_version (workload, version, text) VALUES (?, ?, ?)"
    ).execute(arguments: [version.workload, version.version, version.text])
  }

  /// The version with which each open generation was launched, where it is known.
  public func workloadsOfOpenGenerations() throws(StoreError) -> [UnitName: WorkloadVersion] {
    try read { db in
      let rows = try Row.fetchAll(
        db,
        sql: """
          SELECT pod, generation, v.workload, v.version, v.text FROM generation AS g
          JOIN workload_version AS v ON v.workload = g.workload AND v.version = g.workload_version
          WHERE g.ended_at IS NULL
          """)
      return Dictionary(
        rows.map { row in
          (
            UnitName(pod: PodName(number: row["pod"]), generation: row["generation"]),
            WorkloadVersion(workload: row["workload"], version: row["version"], text: row["text"])
          )
        }, uniquingKeysWith: { first, _ in first })
    }
  }

  /// The latest other version that served; a version to which a rollout stopped counts only if there is no
  /// other. Nil when there is none.
  public func workload(_ name: String, before version: String) throws(StoreError) -> WorkloadVersion? {
    try read { db in
      let row = try Row.fetchOne(
        db,
        sql: """
          SELECT workload, version, text FROM workload_version WHERE workload = ? AND version <> ?
            AND served_at IS NOT NULL ORDER BY stopped_at IS NOT NULL, served_at DESC LIMIT 1
          """, arguments: [name, version])
      return row.map { WorkloadVersion(workload: $0["workload"], version: $0["version"], text: $0["text"]) }
    }
  }

  /// Uses `good` from now on while the files say `rejected`. The files apply again as soon as they change.
  public func revertWorkload(_ rejected: String, to good: WorkloadVersion) throws(StoreError) {
    try write { db in
      try db.execute(
        sql: "INSERT OR REPLACE INTO workload_revert (workload, rejected, version, text) VALUES (?, ?, ?, ?)",
        arguments: [good.workload, rejected, good.version, good.text])
    }
  }

  /// Makes the files apply again.
  public func forgetRevert(ofWorkload name: String) throws(StoreError) {
    try write { db in
      try db.execute(sql: "DELETE FROM workload_revert WHERE workload = ?", arguments: [name])
    }
  }

  /// Every revert: the version that is not used, and the one that replaces it.
  public func revertedWorkloads() throws(StoreError) -> [(rejected: String, good: WorkloadVersion)] {
    try read { db in
      try Row.fetchAll(db, sql: "SELECT workload, rejected, version, text FROM workload_revert").map {
        (
          $0["rejected"],
          WorkloadVersion(workload: $0["workload"], version: $0["version"], text: $0["text"])
        )
      }
    }
  }
}
