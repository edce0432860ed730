import Glibc
import Linux

/// The database file itself: made for root's eyes only before SQLite ever sees it, because tokens are in it.
/// SQLite gives `-wal` and `-shm` the owner and mode of the file they belong to.
enum StoreFile {
  static func prepare(_ path: String) throws(StoreError) {
    let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    if descriptor >= 0 {
      close(descriptor)
      return
    }
    guard errno == EEXIST else { throw failure(errno, path) }

    // By path, not by descriptor: closing one would drop the locks of a connection that this process
    // already has on the file (fcntl(2), "the process's record locks … are released").
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

  /// Throws `.full` below a megabyte of free space or a few free inodes. A user who is placed needs a directory
  /// and a users file, and a placement that fails has to be taken back: on a disk without a free block
  /// neither could be written.
  static func requireRoom(_ path: String) throws(StoreError) {
    var status = statvfs()
    // What cannot be asked is left to the writes themselves.
    guard statvfs(path, &status) == 0 else { return }
    let free = UInt64(status.f_bfree) * UInt64(status.f_frsize)
    // Some file systems make inodes as they go and count none.
    let inodes = status.f_files == 0 ? UInt64.max : UInt64(status.f_ffree)
    guard free >= 1 << 20, inodes >= 16 else { throw .full(file: path) }
  }

  private static func failure(_ number: Int32, _ path: String) -> StoreError {
    if number == ENOSPC || number == EDQUOT { return .full(file: path) }
    return .system(file: path, Errno(number))
  }
}
