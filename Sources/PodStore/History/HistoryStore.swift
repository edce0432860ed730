import GRDB
import Glibc
import Linux
public import PodModel
import Synchronization

/// The minutes of every pod, in a database of their own, whose damage cannot harm a placement
/// (docs/decisions/0016).
///
/// The first operation opens the file and creates it when there is none. A file that is damaged, or that a
/// newer podctl wrote, is set aside, and a new one is created. Nothing here reads a clock. Every operation
/// blocks until it is done; podd calls it through ``HistoryWorker``.
public final class HistoryStore: WorkerStore {
  /// Each operation opens a transaction, and may put the file aside.
  public static let groupLimit = 1
  /// Packing an hour leaves more free memory behind than podd should keep until the next hour.
  public static let trimAfter = 1

  /// The database file.
  public let file: String
  private let limits: Limits
  private let onSetAside: @Sendable (_ cause: StoreError, _ aside: String) -> Void
  private let queue = Mutex<DatabaseQueue?>(nil)

  public struct Limits: Sendable {
    /// Minutes that are older than this are deleted.
    public var minutes: Int64 = 30 * 24 * 60
    /// The oldest minutes are deleted when the database holds more bytes than this.
    public var bytes: UInt64 = 1 << 30
    /// Nothing is recorded when less than this is free on the file system, because everything else is more
    /// important.
    public var keepFree: UInt64 = 64 << 20

    public init() {}
  }

  /// - Parameters:
  ///   - file: absolute path; the file gets mode 0600.
  ///   - onSetAside: called in the thread of the operation when a file was set aside, with its new path.
  public init(
    file: String, limits: Limits = Limits(),
    onSetAside: @escaping @Sendable (_ cause: StoreError, _ aside: String) -> Void = { _, _ in }
  ) {
    self.file = file
    self.limits = limits
    self.onSetAside = onSetAside
  }

  // MARK: Operations

  /// Adds minutes in one transaction; a minute that is there already is added up. The same call packs hours
  /// that are over and deletes rows that are too old, a few at a time.
  /// - Parameters:
  ///   - now: minutes since the epoch.
  ///   - deletesByAge: whether `now` can be believed. Without, only rows that are too many are deleted.
  public func add(
    _ records: [HistoryRecord], now: Int64, deletesByAge: Bool = true
  ) throws(StoreError) {
    try StoreFile.require(StoreFile.Room(bytes: limits.keepFree, countsReserved: false), for: file)
    try perform { db in
      for record in records { try Self.insert(record, db) }
      try Self.pack(before: now / 60, db)
      try Self.trim(db, now: deletesByAge ? now : nil, limits)
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

  public func together(_ body: () -> Void) throws(StoreError) { body() }

  // MARK: The file

  /// One transaction, in a new file if the present one turns out to be unusable.
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
          try HistorySchema.migrator.migrateForward(opened, file: file)
          queue = opened
          return opened
        } catch {
          throw StoreError(error, file: file)
        }
      }
    }
    return try result.get()
  }

  /// Replaces a file that was set aside before, because one is enough to investigate.
  private func setAside(_ cause: StoreError) throws(StoreError) {
    close()
    let aside = file + ".aside"
    guard rename(file, aside) == 0 else {
      throw .system(file: file, Errno.last("it is unusable and cannot be renamed to \(aside)"))
    }
    // They belong to the file that is set aside, and SQLite would use them with the new one
    // (sqlite.org/howtocorrupt.html).
    for suffix in ["-wal", "-shm"] { unlink(file + suffix) }
    onSetAside(cause, aside)
  }

  private static func configuration() -> Configuration {
    var configuration = Configuration()
    configuration.label = "history.db"
    configuration.busyMode = .timeout(5)
    configuration.prepareDatabase { db in
      // With NORMAL, a commit does not wait for the disk. A power cut may lose the last minutes and nothing
      // else (sqlite.org/pragma.html#pragma_synchronous).
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
}

extension StoreError {
  /// Whether this podctl will never be able to use the file.
  fileprivate var callsForANewFile: Bool {
    switch self {
    case .corrupt, .newerSchema: true
    // SQLITE_ERROR is "no such column": a table is not as it should be.
    case .sqlite(_, let code, _): code.primary == .SQLITE_ERROR
    default: false
    }
  }
}
