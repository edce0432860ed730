import Glibc
import Linux

/// The database file itself. It is created readable by root alone before SQLite opens it, because it holds
/// tokens; SQLite gives `-wal` and `-shm` the owner and mode of the file they belong to.
enum StoreFile {
  static func prepare(_ path: String) throws(StoreError) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    if descriptor >= 0 {
      close(descriptor)
      return
    }
    guard errno == EEXIST else { throw failure(errno, path) }

    // By path, because closing a descriptor would drop the locks of a connection that this process already
    // has on the file (fcntl(2), "the process's record locks … are released").
    var status = stat()
    guard lstat(path, &status) == 0 else { throw failure(errno, path) }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw failure(EISDIR, path)
    case S_IFLNK: throw .system(file: path, Errno(ELOOP, "it is a symbolic link"))
    default: throw .system(file: path, Errno(EINVAL, "it is not a regular file"))
    }
    if status.st_mode & 0o7777 != 0o600 {
      guard chmod(path, 0o600) == 0 else { throw failure(errno, path) }
    }
    guard access(path, R_OK | W_OK) == 0 else { throw failure(errno, path) }
  }

  /// How much of a file system must be free.
  struct Room {
    var bytes: UInt64
    var inodes: UInt64 = 0
    /// Whether blocks that the file system reserves for root count as free.
    var countsReserved: Bool
  }

  /// Throws `.full` where less is free on the file's file system.
  static func require(_ room: Room, for path: String) throws(StoreError) {
    var status = statvfs()
    // Where statvfs(2) fails, the writes themselves will.
    guard statvfs(path, &status) == 0 else { return }
    let blocks = room.countsReserved ? status.f_bfree : status.f_bavail
    // Some file systems make inodes on demand and count none.
    let inodes = status.f_files == 0 ? UInt64.max : UInt64(status.f_ffree)
    guard UInt64(blocks) * UInt64(status.f_frsize) >= room.bytes, inodes >= room.inodes else {
      throw .full(file: path)
    }
  }

  private static func failure(_ number: Int32, _ path: String) -> StoreError {
    if number == ENOSPC || number == EDQUOT { return .full(file: path) }
    return .system(file: path, Errno(number))
  }
}
