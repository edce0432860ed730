internal import CLinux
internal import Glibc

/// Where a tree is: its parent directory, open, and its name there.
///
/// The directories of a path may belong to a tenant, who can put a symbolic link in the place of any of them.
/// So a path is walked once, name by name, and after that only descriptors are used. Root's own links are
/// followed in directories that only root writes: /var/lib/podctl may be one. A tenant's link is an error.
struct TreePlace: ~Copyable {
  let parent: FileDescriptor
  let name: FileName
  /// The deepest directory above the tree, on its file system, in which only root makes and renames names;
  /// the parent, if a mount point below them all belongs to a tenant.
  private let anchor: FileDescriptor
  /// Whether only root makes and renames names in the parent directory.
  let isInRootsDirectory: Bool

  private init(
    parent: consuming FileDescriptor, name: FileName, anchor: consuming FileDescriptor,
    isInRootsDirectory: Bool
  ) {
    self.parent = parent
    self.name = name
    self.anchor = anchor
    self.isInRootsDirectory = isInRootsDirectory
  }

  /// Nil when the parent directory is not there. The tree itself need not be there.
  static func find(_ path: String) throws(Errno) -> TreePlace? {
    // The next component is the last one.
    var rest = components(of: path)
    guard path.hasPrefix("/"), let last = rest.first, last != Directory.above else {
      throw Errno(EINVAL, path)
    }
    var parent = try Self.root()
    var status = try FileStatus(parent.raw)
    var anchor = try parent.duplicate()
    var anchorStatus = status
    var links = 0
    while rest.count > 1, let component = rest.popLast() {
      let raw = linux_open_path(parent.raw, component.bytes)
      guard raw >= 0 else {
        if errno == ENOENT { return nil }
        throw Errno.last("open \(path)")
      }
      let next = FileDescriptor(owning: raw)
      let found = try FileStatus(next.raw)
      switch found.kind {
      case .directory:
        parent = next
        status = found
        if found.isRootsOwn {
          anchor = try parent.duplicate()
          anchorStatus = found
        }
      case .symbolicLink where found.isRoots && status.isRootsOwn:
        links += 1
        guard links < 40 else { throw Errno(ELOOP, "open \(path)") }
        let target = try linkText(next.raw)
        if target.hasPrefix("/") {
          parent = try Self.root()
          status = try FileStatus(parent.raw)
        }
        rest += components(of: target)
      case .symbolicLink:
        throw Errno(ELOOP, "\(path): \(component) is a symbolic link, which is not followed")
      default:
        throw Errno(ENOTDIR, "\(path): \(component)")
      }
    }
    if anchorStatus.mount != status.mount { anchor = try parent.duplicate() }
    return TreePlace(parent: parent, name: last, anchor: anchor, isInRootsDirectory: status.isRootsOwn)
  }

  private static func root() throws(Errno) -> FileDescriptor {
    FileDescriptor(owning: try retrying("open /") { linux_open_path(AT_FDCWD, "/") })
  }

  private static func components(of path: String) -> [FileName] {
    path.split(separator: "/").filter { $0 != "." }.map { FileName(String($0)) }.reversed()
  }

  private static func linkText(_ link: CInt) throws(Errno) -> String {
    var text = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlinkat(link, "", &text, text.count - 1)
    guard length > 0 else { throw Errno.last("read a symbolic link") }
    guard let target = FileName(copying: text).text else { throw Errno(EILSEQ, "read a symbolic link") }
    return target
  }

  /// Nil when there is nothing.
  borrowing func status() throws(Errno) -> FileStatus? {
    if let status = FileStatus(name, in: parent.raw) { return status }
    if errno == ENOENT { return nil }
    throw Errno.last("stat \(name)")
  }

  /// A directory of root's beside the tree, on its file system, which no tenant enters: a tree that was
  /// renamed into it is out of its tenant's reach. What is in it is found again with the same key.
  /// - Parameter create: otherwise nil when there is none.
  borrowing func staging(_ purpose: String, key: String, create: Bool) throws(Errno) -> TreeStaging? {
    // A name of a fixed length. Two keys with one name would only share a directory.
    let digits = String(stableHash(of: key), radix: 16)
    let name = FileName(".\(purpose)-" + String(repeating: "0", count: 16 - digits.count) + digits)
    if create && mkdirat(anchor.raw, name.bytes, 0o700) != 0 && errno != EEXIST {
      throw Errno.last("create \(Self.path(of: anchor.raw))/\(name)")
    }
    let raw = linux_openat(anchor.raw, name.bytes, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
    guard raw >= 0 else {
      if errno == ENOENT && !create { return nil }
      throw Errno.last("open \(Self.path(of: anchor.raw))/\(name)")
    }
    let directory = FileDescriptor(owning: raw)
    // Only where the anchor is a tenant's: it may have put a directory of its own there.
    guard try FileStatus(raw).isRoots, fchmod(raw, 0o700) == 0 else {
      throw Errno(EPERM, "use \(Self.path(of: raw)), which is not root's")
    }
    return TreeStaging(directory: directory, anchor: try anchor.duplicate(), name: name)
  }

  /// The path of an open directory as it is now, escaped and of a bounded length: only for messages.
  static func path(of descriptor: CInt) -> String {
    var text = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let length = text.withUnsafeMutableBytes {
      $0.withMemoryRebound(to: CChar.self) { linux_path_of(descriptor, $0.baseAddress, $0.count) }
    }
    // The kernel writes no path that is longer than a page.
    guard length > 0 else { return "a deep directory" }
    let path = FileName.escaped(text[0..<length])
    return path.utf8.count > 400 ? "\(path.prefix(200))...\(path.suffix(200))" : path
  }
}

/// A directory that only root enters; see ``TreePlace/staging(_:key:create:)``.
struct TreeStaging: ~Copyable {
  let directory: FileDescriptor
  private let anchor: FileDescriptor
  private let name: FileName

  init(directory: consuming FileDescriptor, anchor: consuming FileDescriptor, name: FileName) {
    self.directory = directory
    self.anchor = anchor
    self.name = name
  }

  /// Removes the directory if it is empty.
  borrowing func discard() throws(Errno) {
    if unlinkat(anchor.raw, name.bytes, AT_REMOVEDIR) != 0 && errno != ENOENT {
      throw Errno.last("remove \(TreePlace.path(of: directory.raw))")
    }
  }

  /// Brings the changes of its file system to the disk.
  borrowing func sync() throws(Errno) {
    guard linux_sync_file_system(directory.raw) == 0 else {
      throw Errno.last("write \(TreePlace.path(of: anchor.raw)) to its disk")
    }
  }

  /// Takes a directory's names from everybody else: who has it open can make none in it any more.
  static func secure(_ directory: CInt) {
    // An immutable directory refuses both, and then nobody makes names in it either.
    _ = fchown(directory, geteuid(), getegid())
    _ = fchmod(directory, 0o700)
  }
}
