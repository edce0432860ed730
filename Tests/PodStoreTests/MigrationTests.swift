import GRDB
import PodModel
import Testing
import Time
import TimeLiterals

@testable import PodStore

@Suite struct MigrationTests {
  let scratch: Scratch

  init() throws {
    scratch = try Scratch()
    let raw = try DatabaseQueue(path: scratch.database)
    try raw.writeWithoutTransaction { try $0.execute(sql: versionOne) }
    try raw.close()
  }

  @Test func `a database of the first version is opened, and everything in it is still known`() throws {
    let store = try scratch.open()
    #expect(try store.verifyInvariants(usersPerPod: ["free": 20, "pro": 5]).isEmpty)
    #expect(try store.pods().map(\.users) == [1, 1])
    #expect(try store.pods().map(\.wanted) == [.run, .stopped])
    #expect(try store.pod(pod(1)).lastExitReason == .oomOwnLimit)
    #expect(try store.user("alice@example.com").token == "token-alice@example.com-1700000000000001")
    #expect(try store.user("carol").status == .suspended)
    #expect(try store.unsettled().map(\.name) == ["bob"])
    #expect(try store.pods().map(\.layout) == [.mixed, .mixed])
    #expect(try store.pods().map(\.served) == [.several, .several], "nobody knows whom it has served")
    #expect(try store.openGenerations().map(\.unit.description) == ["pod-001-2.scope"])
    #expect(try store.generations(ofPod: pod(1), limit: 9).last?.evidence == #"{"oom":1}"#)
    #expect(try store.auditTail(9).map(\.sender) == [":1.7"])
    #expect(try store.place("dave").user.epoch == 5)
    #expect(try store.beginGeneration(pod: pod(1), now: 10) == 3)
  }

  @Test func `an emptied pod of an earlier version is cleaned before it gets a user`() throws {
    let raw = try DatabaseQueue(path: scratch.database)
    try raw.write { try $0.execute(sql: "DELETE FROM user WHERE name = 'alice@example.com'") }
    try raw.close()
    let store = try scratch.open()
    let cleaning = try #require(store.pod(pod(1)).cleaning)
    #expect(cleaning.kind == .keep && cleaning.user == nil)
    #expect(try store.place("dave").pod.name == pod(3))
    try store.dataPutAside(user: "bob")
    #expect(try !store.podCleaned(pod(1), keptAs: "pod-001-0"))
    #expect(try store.pod(pod(1)).layout == .apart)
    #expect(try store.place("erin", usersPerPod: 1).pod.name == pod(1))
    #expect(try store.verifyInvariants().isEmpty)
  }

  @Test func `a migrated database has the schema of a new one`() throws {
    let migrated = try scratch.open()
    let other = try Scratch()
    let new = try other.open()
    let schema = { (store: PlacementStore) in
      try store.read { db in
        try String.fetchAll(
          db,
          sql: "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'grdb_%' ORDER BY name")
      }
    }
    #expect(try schema(migrated) == schema(new))
  }
}

/// What `sqlite3 podctl.db .dump` printed for a database of the first version. Never changed: it stands for
/// the databases that are out there.
private let versionOne = #"""
  PRAGMA foreign_keys=OFF;
  BEGIN TRANSACTION;
  CREATE TABLE grdb_migrations (identifier TEXT NOT NULL PRIMARY KEY);
  INSERT INTO grdb_migrations VALUES('v1');
  CREATE TABLE host (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    -- The last epoch given to a placement. Drawn from here, an epoch rises even when a user was purged
    -- and placed again.
    epoch INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  INSERT INTO host VALUES(1,'localhost',4);
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
  INSERT INTO pod VALUES(1,1,'free',10001,'127.77.0.1','127.76.0.1',1900000001,2,1,'run',0,1,'oom-own-limit',1700000000000001);
  INSERT INTO pod VALUES(2,1,'pro',10002,'127.77.0.2','127.76.0.2',1900000002,0,1,'stopped',0,0,NULL,3);
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
  INSERT INTO user VALUES('alice@example.com',1,'free','token-alice@example.com-1700000000000001','active',1,NULL,1700000000000001,1700000000000001);
  INSERT INTO user VALUES('bob',NULL,'free',NULL,'deleted',4,1,2,4);
  INSERT INTO user VALUES('carol',2,'pro','token-carol-3','suspended',3,NULL,3,3);
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
  INSERT INTO generation VALUES(1,1,'pod-001-1.scope','b0','i0',42,99,5,6,7,8,'oom-own-limit','{"oom":1}');
  INSERT INTO generation VALUES(1,2,'pod-001-2.scope',NULL,NULL,NULL,NULL,9,NULL,NULL,NULL,NULL,NULL);
  CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    sender TEXT NOT NULL,
    verb TEXT NOT NULL,
    subject TEXT NOT NULL,
    result TEXT NOT NULL
  ) STRICT;
  INSERT INTO audit VALUES(1,9,1000,':1.7','provision','bob','done');
  DELETE FROM sqlite_sequence;
  INSERT INTO sqlite_sequence VALUES('audit',1);
  CREATE INDEX pod_with_room ON pod (host, tier, users DESC, number)
    WHERE wanted <> 'stopped' AND state_hold = 0;
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
  CREATE INDEX generation_open ON generation (pod, generation) WHERE ended_at IS NULL;
  COMMIT;
  """#
