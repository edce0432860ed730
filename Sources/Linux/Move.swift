internal import CLinux
internal import Glibc

extension Files {
  /// Renames a file or directory; what it is called already must not exist: nothing is ever replaced, and no symbolic
  /// link in the last part of either path is followed.
  ///
  /// - Parameters:
  ///   - directory: the open directory in which `source` is; nil: `source` is a path.
  ///   - targetDirectory: the same for `target`.
  /// - Throws: `EEXIST` where `target` exists, `EXDEV` where it is on another file system.
  public static func move(
    _ source: String, at directory: CInt? = nil, to target: String, in targetDirectory: CInt? = nil
  ) throws(Errno) {
    guard linux_rename_new(directory ?? AT_FDCWD, source, targetDirectory ?? AT_FDCWD, target) == 0 else {
      throw Errno.last("move \(source) to \(target)")
    }
  }

  /// What a path names, which may be a symbolic link; nil: nothing.
  public static func kind(of path: String) throws(Errno) -> Kind? {
    var status = stat()
    if lstat(path, &status) == 0 {
      return status.st_mode & S_IFMT == S_IFDIR ? .directory : .other
    }
    if errno == ENOENT { return nil }
    throw Errno.last("look at \(path)")
  }

  public enum Kind: Sendable {
    case directory
    /// A file, a symbolic link, a socket.
    case other
  }
}
