import CLinux
import Glibc
import Systemd

/// The few file operations that podd needs, each naming its path when it fails.
enum Files {
  /// Makes a directory with exactly this mode and owner; one that is there already is set right.
  static func makeDirectory(_ path: String, mode: mode_t, owner: uid_t? = nil) throws(Errno) {
    // A launch comes here once for each of its users, and nearly always finds all as it was left: what is
    // right is not written again.
    var status = stat()
    if lstat(path, &status) == 0, status.st_mode == S_IFDIR | mode,
      owner.map({ $0 == status.st_uid && $0 == status.st_gid }) ?? true
    {
      return
    }
    if mkdir(path, mode) != 0 && errno != EEXIST { throw Errno.last("create \(path)") }
    let directory = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    if let owner, fchown(directory.raw, owner, owner) != 0 { throw Errno.last("chown \(path)") }
    guard fchmod(directory.raw, mode) == 0 else { throw Errno.last("chmod \(path)") }
  }

  /// Replaces a file whole: a reader sees the old content or the new.
  static func replace(
    _ path: String, with content: String, mode: mode_t, owner: uid_t? = nil, durable: Bool = false
  ) throws(Errno) {
    let temporary = path + ".new"
    unlink(temporary)
    do throws(Errno) {
      let file = try FileDescriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
      try file.writeAll(Array(content.utf8))
      if let owner, fchown(file.raw, owner, owner) != 0 { throw Errno.last("chown \(temporary)") }
      guard fchmod(file.raw, mode) == 0 else { throw Errno.last("chmod \(temporary)") }
      if durable && fsync(file.raw) != 0 { throw Errno.last("fsync \(temporary)") }
      guard rename(temporary, path) == 0 else { throw Errno.last("rename to \(path)") }
    } catch {
      unlink(temporary)
      throw Errno(error.code, "write \(path)")
    }
  }

  static func exists(_ path: String) -> Bool {
    access(path, F_OK) == 0
  }

  /// A symbolic link's target; nil when it is not one.
  static func linkTarget(_ path: String) -> String? {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let length = buffer.withUnsafeMutableBytes {
      $0.withMemoryRebound(to: CChar.self) { text in
        text.baseAddress.map { readlink(path, $0, text.count) } ?? -1
      }
    }
    return length > 0 ? String(decoding: buffer[0..<length], as: UTF8.self) : nil
  }

  /// Replaces a symbolic link.
  static func link(_ path: String, to target: String) throws(Errno) {
    let temporary = path + ".new"
    unlink(temporary)
    guard symlink(target, temporary) == 0, rename(temporary, path) == 0 else {
      throw Errno.last("link \(path)")
    }
  }

  /// The names in a directory, without `.` and `..`, in no order.
  static func names(in path: String) throws(Errno) -> [String] {
    guard let directory = opendir(path) else { throw Errno.last("open \(path)") }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  /// What a walk does with each entry it meets, children before their directory.
  private typealias Visit = (_ directory: CInt, _ name: String, _ isDirectory: Bool) throws(Errno) -> Void

  /// Removes a tree; one that is not there is removed already.
  static func removeTree(_ path: String) throws(Errno) {
    try walk(path) { (directory, name, isDirectory) throws(Errno) in
      if unlinkat(directory, name, isDirectory ? AT_REMOVEDIR : 0) != 0 && errno != ENOENT {
        throw Errno.last("remove \(path)")
      }
    }
    if rmdir(path) != 0 && errno != ENOENT { throw Errno.last("remove \(path)") }
  }

  /// Gives a whole tree to one uid and gid, symbolic links themselves included.
  static func chownTree(_ path: String, owner: uid_t) throws(Errno) {
    try walk(path) { (directory, name, _) throws(Errno) in
      if fchownat(directory, name, owner, owner, AT_SYMLINK_NOFOLLOW) != 0 && errno != ENOENT {
        throw Errno.last("chown \(path)")
      }
    }
    if lchown(path, owner, owner) != 0 && errno != ENOENT { throw Errno.last("chown \(path)") }
  }

  /// Follows no symbolic link: the tree belongs to a pod, which may put anything into it.
  private static func walk(_ path: String, _ visit: Visit) throws(Errno) {
    let raw = linux_open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
    if raw < 0 {
      if errno == ENOENT { return }
      throw Errno.last("open \(path)")
    }
    try walk(raw, path, depth: 0, visit)
  }

  private static func walk(_ raw: CInt, _ path: String, depth: Int, _ visit: Visit) throws(Errno) {
    // fdopendir takes the descriptor over.
    guard depth < 64, let directory = fdopendir(raw) else {
      close(raw)
      throw depth < 64 ? Errno.last("open \(path)") : Errno(ELOOP, "\(path): nested too deep")
    }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name == "." || name == ".." { continue }
      let child = linux_openat(
        dirfd(directory), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
      if child >= 0 { try walk(child, path, depth: depth + 1, visit) }
      try visit(dirfd(directory), name, child >= 0)
    }
  }
}
