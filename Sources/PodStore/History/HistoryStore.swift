import GRDB
import Glibc
import Linux
public import PodModel
import Synchronization

/// The minutes of every pod, in a database of their own: whatever happens to it, no placement is harmed
/// (docs/decisions/0016).
///
/// It opens its file when it is first asked, makes one when there is none, and puts one that is damaged, or that a
/// newer podctl wrote, aside to begin anew. Nothing here reads a clock. Every operation blocks until it is done; podd
/// calls it through ``HistoryWorker``.
public final class HistoryStore: Sendable {
  /// The database file.
  public let file: String
  private let limits: Limits
  private let onSetAside: @Sendable (_ cause: StoreError, _ aside: String) -> Void
  private let queue = Mutex<DatabaseQueue?>(nil)

  public struct Limits: Sendable {
    /// Minutes older than this many go.
    public var minutes: Int64 = 30 * 24 * 60
    /// The oldest go when the database holds more bytes than this.
    public var bytes: UInt64 = 1 << 30
    /// With less than this free on its file system, nothing is recorded: the history is the first to give way.
    public var keepFree: UInt64 = 64 << 20

    public init() {}
  }

  /// - Parameters:
  ///   - file: absolute path; the file gets mode 0600.
  ///   - onSetAside: told, in the thread of the operation, that a file was put aside, and where it is now.
  public init(
    file: String, limits: Limits = Limits(),
    onSetAside: @escaping @Sendable (_ cause: StoreError, _ aside: String) -> Void = { _, _ in }
  ) {
    self.file = file
    self.limits = limits
    self.onSetAside = onSetAside
  }

  // MARK: Operations

  /// Writes what is known of a minute, in one transaction; what is there of it already is added to. The same call packs
  /// an hour that is over and deletes what is too old, some of each at a time.
  /// - Parameter now: minutes since the epoch.
  public func add(_ records: [HistoryRecord], now: Int64) throws(StoreError) {
    try requireRoom()
    try perform { db in
      for record in records { try Self.insert(record, db) }
      try Self.pack(before: now / 60, db)
      try Self.trim(db, now: now, limits)
    }
  }

  /// The minutes of a pod, oldest first, and within a minute by generation.
  /// - Parameters:
  ///   - minutes: which of them, in minutes since the epoch.
  ///   - limit: how many at most.
  public func history(
    ofPod pod: PodName, minutes: ClosedRange<Int64>, limit: Int
  ) throws(StoreError) -> [MemoryMinute] {
    try perform { db in try Self.read(db, pod.number, minutes, limit) }
  }

  /// Closes the file; the next operation opens it again.
  public func close() {
    queue.withLock { queue in
      try? queue?.close()
      queue = nil
    }
  }

  /// Bytes that the rows take, without what was deleted.
  func size() throws(StoreError) -> UInt64 {
    try perform { db in try Self.usedBytes(db) }
  }

  // MARK: The file

  /// One transaction, with a new file if this one turns out to be unusable.
  func perform<T>(_ body: (Database) throws -> T) throws(StoreError) -> T {
    do throws(StoreError) {
      return try attempt(body)
    } catch {
      guard error.callsForANewFile else { throw error }
      try setAside(error)
      return try attempt(body)
    }
  }

  private func attempt<T>(_ body: (Database) throws -> T) throws(StoreError) -> T {
    let queue = try open()
    do { return try queue.write(body) } catch { throw StoreError(error, file: file) }
  }

  private func open() throws(StoreError) -> DatabaseQueue {
    let result = queue.withLock { queue -> Result<DatabaseQueue, StoreError> in
      if let queue { return .success(queue) }
      return Result { () throws(StoreError) in
        try StoreFile.prepare(file)
        do {
          let opened = try DatabaseQueue(path: file, configuration: Self.configuration())
          try Self.migrate(opened, file: file)
          queue = opened
          return opened
        } catch {
          throw StoreError(error, file: file)
        }
      }
    }
    return try result.get()
  }

  /// What was put aside before makes room for it: one such file is enough to look into.
  private func setAside(_ cause: StoreError) throws(StoreError) {
    close()
    let aside = file + ".aside"
    guard rename(file, aside) == 0 else {
      throw .system(file: file, Errno.last("it is unusable and cannot be renamed to \(aside)"))
    }
    // They belong to what is aside, and cannot be told apart from a new file's (sqlite.org/howtocorrupt.html).
    for suffix in ["-wal", "-shm"] { unlink(file + suffix) }
    onSetAside(cause, aside)
  }

  private func requireRoom() throws(StoreError) {
    var status = statvfs()
    guard statvfs(file, &status) == 0 else { return }
    guard UInt64(status.f_bavail) * UInt64(status.f_frsize) >= limits.keepFree else {
      throw .full(file: file)
    }
  }

  private static func configuration() -> Configuration {
    var configuration = Configuration()
    configuration.label = "history.db"
    configuration.busyMode = .timeout(5)
    configuration.prepareDatabase { db in
      // With NORMAL a commit waits for no disk; a power cut may cost the last minutes and nothing else
      // (sqlite.org/pragma.html#pragma_synchronous).
      _ = try String.fetchOne(db, sql: "PRAGMA journal_mode = WAL")
      try db.execute(
        sql: """
          PRAGMA synchronous = NORMAL;
          PRAGMA cache_size = -256;
          PRAGMA mmap_size = 0;
          PRAGMA temp_store = MEMORY;
          PRAGMA journal_size_limit = 4194304;
          """)
    }
    return configuration
  }

  private static func migrate(_ queue: DatabaseQueue, file: String) throws {
    let migrator = HistorySchema.migrator
    let applied = try queue.read { try migrator.appliedIdentifiers($0) }
    let unknown = applied.subtracting(migrator.migrations)
    if !unknown.isEmpty {
      throw StoreError.newerSchema(
        file: file, unknown: unknown.sorted(), newestKnown: migrator.migrations.last ?? "none")
    }
    try migrator.migrate(queue)
  }
}

extension StoreError {
  /// Whether the file will never be of use to this podctl.
  fileprivate var callsForANewFile: Bool {
    switch self {
    case .corrupt, .newerSchema: true
    // SQLITE_ERROR is "no such column": a table is not as it should be.
    case .sqlite(_, let code, _): code.primary == .SQLITE_ERROR
    default: false
    }
  }
}
