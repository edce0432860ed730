import GRDB
public import Linux
public import PodModel

/// Why an operation of the store failed. Its transaction was then rolled back, so the placement is unchanged.
/// Each case prints one or two sentences that name the problem and what to do.
public enum StoreError: Error, Equatable, CustomStringConvertible {
  /// The database has schema versions that this podctl does not know. Nothing was written to it.
  case newerSchema(file: String, unknown: [String], newestKnown: String)
  /// No space left for the database (SQLITE_FULL).
  case full(file: String)
  /// The file is damaged, or is not podctl's database.
  case corrupt(file: String, message: String)
  /// Another process holds the database, or too many jobs wait for it: trying again later may help.
  case busy(file: String, cause: String)
  /// The operating system refused before SQLite was called. The errno's context, where there is one, is the
  /// reason.
  case system(file: String, Errno)
  /// SQLite cannot open, read or write the file.
  case sqlite(file: String, SQLiteCode, message: String)
  /// Every port that `portRange` allows belongs to a pod.
  case portRangeExhausted(first: Int, last: Int)
  /// Every pod number that has an address belongs to a pod.
  case addressesExhausted
  /// A new pod would get this user id, and nobody has looked yet whether an account of the host has it.
  case unvettedUID(UInt32)
  case noSuchUser(UserName)
  /// The user is placed in another tier than the caller requires.
  case otherTier(user: UserName, tier: String)
  /// The user is placed and has no access.
  case suspended(UserName)
  case noSuchPod(PodName)
  case noSuchGeneration(UnitName)
  /// The record is not, or no longer, in a state that allows the operation.
  case conflict(String)

  public var description: String {
    switch self {
    case .newerSchema(let file, let unknown, let newestKnown):
      "\(file) was written by a newer podctl: it has schema \(unknown.joined(separator: ", ")), and this one "
        + "knows up to \(newestKnown). Install the newer podctl again; nothing was changed."
    case .full(let file):
      "No space left for \(file): nothing was changed. Free space on its file system and try again."
    case .corrupt(let file, let message):
      "\(file) cannot be used as podctl's database: \(message). Keep podd stopped (systemctl mask --runtime --now "
        + "podd.service), move the file and its -wal and -shm companions aside, put a backup or the output of "
        + "'sqlite3 \(file) .recover' in its place, then unmask and start podd.service."
    case .busy(let file, let cause):
      "\(file) is busy: \(cause). Nothing was changed; try again."
    case .system(let file, let errno):
      Self.unusable(file, errno.context.isEmpty ? errno.text : errno.context, errno.code)
    case .sqlite(let file, let code, let message):
      Self.unusable(file, message, code.extended)
    case .portRangeExhausted(let first, let last):
      "Every port from \(first) to \(last) belongs to a pod: widen PortRange= in podd.conf, or remove pods."
    case .addressesExhausted:
      "All \(PodAddress.highestNumber) pod addresses are taken: place further users on another host."
    case .unvettedUID(let uid):
      "Whether an account of this host has the user id \(uid) is not known yet: try again."
    case .noSuchUser(let name):
      "There is no user \(name): 'podctl users' lists them."
    case .otherTier(let user, let tier):
      "\(user) is in tier \(tier), which provision does not change: leave --tier out, or name that tier."
    case .suspended(let user):
      "\(user) is suspended and was left so: 'podctl resume \(user)' gives access again."
    case .noSuchPod(let pod):
      "There is no \(pod): 'podctl pods' lists them."
    case .noSuchGeneration(let unit):
      "There is no record of \(unit): 'podctl status \(unit.pod)' shows what ran."
    case .conflict(let message):
      message
    }
  }

  private static func unusable(_ file: String, _ reason: String, _ code: Int32) -> String {
    "Cannot use \(file): \(reason) (\(code)). Check the path, its permissions and the disk below it."
  }
}

/// SQLite's result code (sqlite.org/rescode.html). A type of its own, so that code that handles a
/// ``StoreError`` need not import GRDB.
public struct SQLiteCode: Equatable, Sendable {
  /// The extended code; its lower byte is the primary one.
  public let extended: Int32

  public init(_ extended: Int32) { self.extended = extended }

  var primary: ResultCode { ResultCode(rawValue: extended).primaryResultCode }
}

extension StoreError {
  /// Translates an error of the layers below.
  init(_ error: any Error, file: String) {
    if let error = error as? StoreError {
      self = error
      return
    }
    guard let error = error as? DatabaseError else {
      self = .corrupt(file: file, message: "it holds a value that podctl never writes (\(error))")
      return
    }
    let message = error.message ?? "SQLite gave no reason"
    switch error.resultCode {
    case .SQLITE_FULL:
      self = .full(file: file)
    case .SQLITE_CORRUPT, .SQLITE_NOTADB:
      self = .corrupt(file: file, message: message)
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      self = .busy(file: file, cause: "another process has locked it")
    case .SQLITE_CONSTRAINT:
      self = .conflict("\(file) refuses the change, which would break a rule of the placement: \(message).")
    default:
      // The index of the write-ahead log is a memory-mapped file, which SQLite extends by writing to it.
      self =
        error.extendedResultCode == .SQLITE_IOERR_SHMSIZE
        ? .full(file: file)
        : .sqlite(file: file, SQLiteCode(error.extendedResultCode.rawValue), message: message)
    }
  }
}
