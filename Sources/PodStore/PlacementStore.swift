import GRDB
import Synchronization

/// podctl's durable record, in SQLite: placements, generations and the audit log.
///
/// Every operation is one transaction and synchronous: it blocks until the disk has it. podd therefore
/// calls it through `StoreWorker`. Nothing here reads a clock: times are arguments.
public final class PlacementStore: WorkerStore {
  public static let groupLimit = 64
  public static let trimAfter = 128

  /// The database file.
  public let file: String
  let queue: DatabaseQueue
  let auditLimit: Int
  let podDirectories: String?
  private let grouping = Atomic(false)

  /// The only host so far; every pod names it, so that others can join.
  static let host = 1

  /// Opens the database, creates it when there is none, and migrates it forward.
  ///
  /// - Parameters:
  ///   - file: absolute path; the file gets mode 0600, its directory must exist.
  ///   - host: this host's name, recorded with its pods.
  ///   - auditLimit: how many audit entries are kept.
  ///   - podDirectories: a new pod gets no number whose directory exists here; nil: any number.
  /// - Throws: `.newerSchema`, `.corrupt`, `.system`, `.sqlite`, `.full` or `.busy`, before anything was
  ///   changed.
  public init(
    file: String, host: String = "localhost", auditLimit: Int = 100_000, podDirectories: String? = nil
  ) throws(StoreError) {
    self.file = file
    self.auditLimit = auditLimit
    self.podDirectories = podDirectories
    try StoreFile.prepare(file)
    do {
      queue = try DatabaseQueue(path: file, configuration: Self.configuration())
      try Schema.migrator.migrateForward(queue, file: file) { db in try Schema.refuseForeign(db, file: file) }
      try queue.write { db in
        try db.execute(
          sql: """
            INSERT INTO host (id, name) VALUES (:id, :name)
            ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE name <> excluded.name
            """, arguments: ["id": Self.host, "name": host])
      }
    } catch {
      throw StoreError(error, file: file)
    }
  }

  /// Closes the file; every later operation fails.
  public func close() throws(StoreError) {
    do { try queue.close() } catch { throw StoreError(error, file: file) }
  }

  /// Without GRDB's guard against writing: `PRAGMA query_only` makes SQLite compile every kept statement again
  /// (sqlite.org/src, pragma.c: flags of a connection expire its statements). Nothing else writes meanwhile, for
  /// this is the only connection, and it serves one caller at a time.
  func read<T>(_ body: (Database) throws -> T) throws(StoreError) -> T {
    do { return try queue.unsafeReentrantRead(body) } catch { throw StoreError(error, file: file) }
  }

  /// One transaction, which begins immediately, is on the disk when this returns, and is rolled back when it
  /// throws. Within ``together(_:)`` it is a part of that transaction, and is rolled back alone.
  func write<T>(_ body: (Database) throws -> T) throws(StoreError) -> T {
    do {
      guard grouping.load(ordering: .relaxed) else { return try queue.write(body) }
      return try queue.unsafeReentrantWrite { db in
        var result: Result<T, any Error> = .failure(DatabaseError(resultCode: .SQLITE_ABORT))
        try db.inSavepoint {
          result = .success(try body(db))
          return .commit
        }
        return try result.get()
      }
    } catch {
      throw StoreError(error, file: file)
    }
  }

  /// Makes all operations of `body` one transaction, so that many wait for the disk once. When it throws,
  /// none of them was done, whatever they returned. One at a time, and from one thread.
  public func together(_ body: () -> Void) throws(StoreError) {
    grouping.store(true, ordering: .relaxed)
    defer { grouping.store(false, ordering: .relaxed) }
    do {
      try queue.writeWithoutTransaction { db in
        try db.inTransaction(.immediate) {
          body()
          return .commit
        }
      }
    } catch {
      throw StoreError(error, file: file)
    }
  }

  private static func configuration() -> Configuration {
    var configuration = Configuration()
    configuration.label = "podctl.db"
    configuration.busyMode = .timeout(5)
    configuration.prepareDatabase { db in
      // GRDB's own switch to WAL would lower `synchronous` to NORMAL, with which a power cut loses the
      // last commits (sqlite.org/pragma.html#pragma_synchronous); a confirmed provision must survive it.
      let journal = try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL")
      try db.execute(
        sql: """
          PRAGMA synchronous = FULL;
          PRAGMA cache_size = -256;
          PRAGMA mmap_size = 0;
          PRAGMA temp_store = MEMORY;
          PRAGMA journal_size_limit = 8388608;
          """)
      let synchronous = try Int.fetchOne(db, sql: "PRAGMA synchronous")
      let foreignKeys = try Int.fetchOne(db, sql: "PRAGMA foreign_keys")
      guard journal == "wal", synchronous == 2, foreignKeys == 1 else {
        throw DatabaseError(
          resultCode: .SQLITE_CANTOPEN,
          message: "SQLite does not keep journal_mode=WAL, synchronous=FULL and foreign_keys=ON here")
      }
    }
    return configuration
  }
}
