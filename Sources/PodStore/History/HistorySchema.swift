import GRDB

/// The schema of the history. As with the placement's, a migration that has shipped is never edited.
enum HistorySchema {
  static let migrator: DatabaseMigrator = {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("v1") { db in
      try db.execute(sql: v1)
    }
    return migrator
  }()

  /// Rows that are written together lie together: the minutes of all pods are at the end of a small table.
  /// Once an hour is over, each pod's minutes are packed into one row (docs/decisions/0016). A `minute`
  /// counts from the epoch.
  private static let v1 = """
    CREATE TABLE recent (
      minute INTEGER NOT NULL,
      pod INTEGER NOT NULL,
      generation INTEGER NOT NULL,
      anon INTEGER NOT NULL,
      swap INTEGER NOT NULL,
      file INTEGER NOT NULL,
      current INTEGER NOT NULL,
      current_max INTEGER NOT NULL,
      active_users INTEGER NOT NULL,
      stalled_some INTEGER NOT NULL,
      stalled_full INTEGER NOT NULL,
      cpu INTEGER NOT NULL,
      PRIMARY KEY (minute, pod, generation)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE hour (
      -- Hours since the epoch, shifted left by 20 bits, and the pod's number.
      id INTEGER PRIMARY KEY,
      minutes BLOB NOT NULL
    ) STRICT;
    """
}
