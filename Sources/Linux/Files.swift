internal import Glibc

/// File operations that take a handful of system calls. Each names its path when it fails.
public enum Files {
  /// Makes a directory with exactly this mode and owner; an existing directory is set right.
  public static func makeDirectory(_ path: String, mode: UInt32, owner: UInt32? = nil) throws(Errno) {
    // A launch calls this for each of its users, and nearly always one lstat(2) shows that nothing is to be
    // done.
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
  public static func replace(
    _ path: String, with content: String, mode: UInt32, owner: UInt32? = nil, durable: Bool = false
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

  public static func exists(_ path: String) -> Bool {
    access(path, F_OK) == 0
  }

  /// A symbolic link's target; nil when `path` is no symbolic link.
  public static func linkTarget(_ path: String) -> String? {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let length = buffer.withUnsafeMutableBytes {
      $0.withMemoryRebound(to: CChar.self) { text in
        text.baseAddress.map { readlink(path, $0, text.count) } ?? -1
      }
    }
    return length > 0 ? String(decoding: buffer[0..<length], as: UTF8.self) : nil
  }

  /// The absolute path without symbolic links of something that exists; nil when it does not.
  public static func resolved(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// Replaces a symbolic link.
  public static func link(_ path: String, to target: String) throws(Errno) {
    let temporary = path + ".new"
    unlink(temporary)
    guard symlink(target, temporary) == 0, rename(temporary, path) == 0 else {
      throw Errno.last("link \(path)")
    }
  }

  /// The names in a directory of root's or the kernel's, without `.` and `..`, in no order. A name that is not
  /// UTF-8 is escaped, so that an error about the file shows it; what a tenant may have named is listed with
  /// ``Directory``.
  public static func names(in path: String) throws(Errno) -> [String] {
    let directory = try Directory(path)
    var names: [String] = []
    while let name = try directory.next() { names.append(name.text ?? name.description) }
    return names
  }
}
