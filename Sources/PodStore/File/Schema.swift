import GRDB

/// The database's schema. A migration that has shipped is never edited; a change is a new migration.
enum Schema {
  static let migrator: DatabaseMigrator = {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("v1") { db in
      try db.execute(sql: v1)
    }
    migrator.registerMigration("v2") { db in
      try db.execute(sql: v2)
    }
    migrator.registerMigration("v3") { db in
      try db.execute(sql: v3)
    }
    migrator.registerMigration("v4") { db in
      try db.execute(sql: v4)
    }
    migrator.registerMigration("v5") { db in
      try db.execute(sql: v5)
    }
    migrator.registerMigration("v6") { db in
      try db.execute(sql: v6)
    }
    return migrator
  }()

  /// Throws for an SQLite database that podctl did not write, unless it has migrations.
  static func refuseForeign(_ db: Database, file: String) throws {
    // GRDB makes its own table in a transaction before the first migration: a power cut can leave it alone.
    let foreign = try String.fetchOne(
      db, sql: "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'grdb_migrations'")
    if let foreign {
      throw StoreError.corrupt(
        file: file, message: "it is an SQLite database, but not podctl's (it has a table '\(foreign)')")
    }
  }

  private static let v6 = """
    -- When the user last used the front door; NULL: never.
    ALTER TABLE user ADD COLUMN last_used_at INTEGER;
    """

  /// How many users of a pod are suspended is asked whenever its row is read.
  private static let v5 = """
    CREATE INDEX user_suspended ON user (pod) WHERE status = 'suspended';
    """

  /// What is known of pods that 0.1 made: they may have served anybody (decision 0021).
  private static let v4 = """
    -- Where its users' directories lie: 1: pods/POD/USER, as podctl 0.1 had it; 2: pods/POD/users/USER.
    ALTER TABLE pod ADD COLUMN layout INTEGER NOT NULL DEFAULT 1 CHECK (layout IN (1, 2));
    -- Whom it has served since its directory was made: NULL: nobody; '*': several; else this user alone.
    ALTER TABLE pod ADD COLUMN served TEXT;
    -- Its last user has left, and its directory has still to be put aside or removed. Until then it gets no user.
    ALTER TABLE pod ADD COLUMN cleaning TEXT CHECK (cleaning IN ('keep', 'remove'));
    -- The user with whose data that is put aside.
    ALTER TABLE pod ADD COLUMN last_user TEXT;
    -- No two cleanings of a pod have the same one: whoever leaves was placed, with an epoch of the host's.
    ALTER TABLE pod ADD COLUMN cleaning_id INTEGER NOT NULL DEFAULT 0;
    UPDATE pod SET served = '*';
    UPDATE pod SET cleaning = 'keep' WHERE users = 0;
    CREATE INDEX pod_due_for_cleaning ON pod (last_user) WHERE cleaning IS NOT NULL;
    DROP INDEX pod_with_room;
    CREATE INDEX pod_with_room ON pod (host, tier, users DESC, number)
      WHERE wanted <> 'stopped' AND state_hold = 0 AND cleaning IS NULL;

    -- 1: the data has still to be brought into the pod on which the user is placed.
    ALTER TABLE user ADD COLUMN arriving INTEGER NOT NULL DEFAULT 0 CHECK (arriving IN (0, 1));
    -- 1: the data of this deleted user is to be removed for good, and then this row.
    ALTER TABLE user ADD COLUMN purging INTEGER NOT NULL DEFAULT 0 CHECK (purging IN (0, 1));
    -- The name under which is kept what a program stored while it served this user alone.
    ALTER TABLE user ADD COLUMN program_kept TEXT;
    UPDATE user SET arriving = 1 WHERE kept_from IS NOT NULL AND pod IS NOT NULL;
    DROP INDEX user_unsettled;
    CREATE INDEX user_unsettled ON user (name)
      WHERE kept_from IS NOT NULL OR arriving = 1 OR purging = 1;

    -- A pod counts its users, knows whom it served, and is due for cleaning when the last one has left.
    DROP TRIGGER user_placed;
    DROP TRIGGER user_removed;
    DROP TRIGGER user_moved;
    CREATE TRIGGER user_placed AFTER INSERT ON user WHEN NEW.pod IS NOT NULL BEGIN
      UPDATE pod SET users = users + 1, served = iif(coalesce(served, NEW.name) = NEW.name, NEW.name, '*')
        WHERE number = NEW.pod;
    END;
    CREATE TRIGGER user_removed AFTER DELETE ON user WHEN OLD.pod IS NOT NULL BEGIN
      UPDATE pod SET users = users - 1 WHERE number = OLD.pod;
      UPDATE pod SET cleaning = 'remove', last_user = OLD.name, cleaning_id = (SELECT epoch FROM host WHERE id = pod.host)
        WHERE number = OLD.pod AND users = 0;
    END;
    CREATE TRIGGER user_moved AFTER UPDATE OF pod ON user WHEN NEW.pod IS NOT OLD.pod BEGIN
      UPDATE pod SET users = users - 1 WHERE number = OLD.pod;
      UPDATE pod SET cleaning = iif(NEW.purging, 'remove', 'keep'), last_user = OLD.name,
        cleaning_id = (SELECT epoch FROM host WHERE id = pod.host)
        WHERE number = OLD.pod AND users = 0;
      UPDATE pod SET users = users + 1, served = iif(coalesce(served, NEW.name) = NEW.name, NEW.name, '*')
        WHERE number = NEW.pod;
    END;
    """

  private static let v3 = """
    -- Why podd began to stop it: what podd's own death in the middle of that must not change.
    ALTER TABLE generation ADD COLUMN stop_cause TEXT;
    -- Whether systemd was asked to; not while its connections were waited for.
    ALTER TABLE generation ADD COLUMN stop_asked INTEGER NOT NULL DEFAULT 0 CHECK (stop_asked IN (0, 1));
    -- A rollout to it stopped, and none has come to its end since: some pods served with it, and that is not enough.
    ALTER TABLE workload_version ADD COLUMN stopped_at INTEGER;
    """

  private static let v2 = """
    CREATE TABLE rollout (
      tier TEXT PRIMARY KEY,
      started_at INTEGER NOT NULL,
      state TEXT NOT NULL CHECK (state IN ('running', 'stopped', 'done')),
      failed TEXT
    ) STRICT, WITHOUT ROWID;

    -- What pods have served with: where a rollout goes back to.
    CREATE TABLE workload_version (
      workload TEXT NOT NULL,
      version TEXT NOT NULL,
      text TEXT NOT NULL,
      -- When a pod had last served with it for a while; NULL: none has.
      served_at INTEGER,
      PRIMARY KEY (workload, version)
    ) STRICT, WITHOUT ROWID;
    -- With which of them a generation was launched: what podd goes by when it takes it over.
    ALTER TABLE generation ADD COLUMN workload TEXT;
    ALTER TABLE generation ADD COLUMN workload_version TEXT;

    CREATE TABLE workload_revert (
      workload TEXT PRIMARY KEY,
      rejected TEXT NOT NULL,
      version TEXT NOT NULL,
      text TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    """

  /// Times are microseconds since the epoch. `STRICT` tables hold only the types they declare, so that
  /// reading a row cannot trap.
  private static let v1 = """
    CREATE TABLE host (
      id INTEGER PRIMARY KEY,
      name TEXT NOT NULL UNIQUE,
      -- The last epoch given to a placement. Drawn from here, an epoch rises even when a user was purged
      -- and placed again.
      epoch INTEGER NOT NULL DEFAULT 0
    ) STRICT;

    CREATE TABLE pod (
      number INTEGER PRIMARY KEY CHECK (number > 0),
      host INTEGER NOT NULL REFERENCES host (id),
      tier TEXT NOT NULL,
      port INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
      address TEXT NOT NULL UNIQUE,
      front_address TEXT NOT NULL UNIQUE,
      uid INTEGER NOT NULL UNIQUE,
      generation INTEGER NOT NULL DEFAULT 0,
      users INTEGER NOT NULL DEFAULT 0 CHECK (users >= 0),
      wanted TEXT NOT NULL DEFAULT 'cold' CHECK (wanted IN ('cold', 'run', 'stopped')),
      state_hold INTEGER NOT NULL DEFAULT 0 CHECK (state_hold IN (0, 1)),
      restarts INTEGER NOT NULL DEFAULT 0,
      last_exit_reason TEXT,
      created_at INTEGER NOT NULL,
      UNIQUE (host, port)
    ) STRICT;
    -- The fullest pod with room is the first entry below the tier's limit.
    CREATE INDEX pod_with_room ON pod (host, tier, users DESC, number)
      WHERE wanted <> 'stopped' AND state_hold = 0;

    CREATE TABLE user (
      name TEXT PRIMARY KEY,
      pod INTEGER REFERENCES pod (number),
      tier TEXT NOT NULL,
      token TEXT UNIQUE,
      status TEXT NOT NULL CHECK (status IN ('active', 'suspended', 'deleted')),
      epoch INTEGER NOT NULL,
      kept_from INTEGER,
      created_at INTEGER NOT NULL,
      changed_at INTEGER NOT NULL,
      CHECK ((status = 'deleted') = (pod IS NULL)),
      CHECK ((status = 'deleted') = (token IS NULL))
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX user_of_pod ON user (pod);
    CREATE INDEX user_unsettled ON user (kept_from) WHERE kept_from IS NOT NULL;

    CREATE TRIGGER user_placed AFTER INSERT ON user WHEN NEW.pod IS NOT NULL BEGIN
      UPDATE pod SET users = users + 1 WHERE number = NEW.pod;
    END;
    CREATE TRIGGER user_removed AFTER DELETE ON user WHEN OLD.pod IS NOT NULL BEGIN
      UPDATE pod SET users = users - 1 WHERE number = OLD.pod;
    END;
    CREATE TRIGGER user_moved AFTER UPDATE OF pod ON user WHEN NEW.pod IS NOT OLD.pod BEGIN
      UPDATE pod SET users = users - 1 WHERE number = OLD.pod;
      UPDATE pod SET users = users + 1 WHERE number = NEW.pod;
    END;

    -- No reference to pod: history outlives a pod that was taken back, so that its number, given out
    -- again, goes on with the next generation and no unit name is ever used twice.
    CREATE TABLE generation (
      pod INTEGER NOT NULL,
      generation INTEGER NOT NULL,
      unit TEXT NOT NULL UNIQUE,
      boot_id TEXT,
      invocation_id TEXT,
      main_pid INTEGER,
      main_start_ticks INTEGER,
      begun_at INTEGER NOT NULL,
      started_at INTEGER,
      ready_at INTEGER,
      ended_at INTEGER,
      reason TEXT,
      evidence TEXT CHECK (evidence IS NULL OR json_valid(evidence)),
      PRIMARY KEY (pod, generation),
      CHECK ((ended_at IS NULL) = (reason IS NULL))
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX generation_open ON generation (pod, generation) WHERE ended_at IS NULL;

    CREATE TABLE audit (
      id INTEGER PRIMARY KEY AUTOINCREMENT,
      at INTEGER NOT NULL,
      uid INTEGER NOT NULL,
      sender TEXT NOT NULL,
      verb TEXT NOT NULL,
      subject TEXT NOT NULL,
      result TEXT NOT NULL
    ) STRICT;
    """
}
