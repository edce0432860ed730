internal import CLinux
internal import Glibc

/// Work on whole directory trees. The tree may belong to a pod, which may put anything into it, so no
/// symbolic link is followed. A tree may have millions of files: never call these functions on the event
/// loop.
public enum FileTree {
  /// Nothing of ours nests deeper; the bound keeps a hostile tree from using up descriptors and stack.
  private static let depthLimit = 64

  /// A function that a walk calls with each entry, children before their directory.
  private typealias Visit = (_ directory: CInt, _ name: String, _ isDirectory: Bool) throws(Errno) -> Void

  /// Removes a tree; a tree that does not exist counts as removed.
  public static func remove(_ path: String) throws(Errno) {
    try walk(path) { (directory, name, isDirectory) throws(Errno) in
      if unlinkat(directory, name, isDirectory ? AT_REMOVEDIR : 0) != 0 && errno != ENOENT {
        throw Errno.last("remove \(path)")
      }
    }
    if rmdir(path) != 0 && errno != ENOENT { throw Errno.last("remove \(path)") }
  }

  /// Gives a whole tree to one uid and gid, symbolic links themselves included.
  public static func changeOwner(_ path: String, to owner: UInt32) throws(Errno) {
    try walk(path) { (directory, name, _) throws(Errno) in
      if fchownat(directory, name, owner, owner, AT_SYMLINK_NOFOLLOW) != 0 && errno != ENOENT {
        throw Errno.last("chown \(path)")
      }
    }
    if lchown(path, owner, owner) != 0 && errno != ENOENT { throw Errno.last("chown \(path)") }
  }

  private static func walk(_ path: String, _ visit: Visit) throws(Errno) {
    let raw = linux_open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
    if raw < 0 {
      if errno == ENOENT { return }
      throw Errno.last("open \(path)")
    }
    try walk(FileDescriptor(owning: raw), path, depth: 0, visit)
  }

  private static func walk(
    _ descriptor: consuming FileDescriptor, _ path: String, depth: Int, _ visit: Visit
  ) throws(Errno) {
    guard depth < depthLimit else { throw Errno(ELOOP, "\(path): nested too deep") }
    let directory = try Directory(owning: descriptor, path)
    while let name = directory.next() {
      let child = linux_openat(
        directory.descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
      if child >= 0 { try walk(FileDescriptor(owning: child), path, depth: depth + 1, visit) }
      try visit(directory.descriptor, name, child >= 0)
    }
  }
}
