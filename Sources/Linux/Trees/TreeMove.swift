internal import CLinux
internal import Glibc

/// Copies a tree and removes its files: the middle part of
/// ``FileTree/moveIntoNewInodes(from:to:owner:proceed:)``.
///
/// The source is the truth: a file that is still in it is copied, whatever the target has under its name, and
/// it is removed from the source only after syncfs(2) has brought its copy to the disk. So a target that a
/// power cut left empty or half written is written again.
final class TreeMove {
  /// In the staging directory: the file that is being copied, and names for the copies of files that
  /// have several names. The names in `safe` are of copies that are on the disk; those in `fresh` may not be.
  private static let copy = FileName("copy")
  private static let safe = FileName("links")
  private static let fresh = FileName("links.new")

  /// A batch ends when it has so many bytes or entries, or entries of so many directories, which stay open.
  private static let bytesMax: UInt64 = 64 << 20
  private static let entriesMax = 4096
  private static let directoriesMax = 64
  /// The kernel breaks a lease after 45 s (/proc/sys/fs/lease-break-time).
  private static let leasesMax = 60

  /// An open directory of the source, for as long as entries of it wait to be removed.
  private final class OpenDirectory {
    let descriptor: FileDescriptor
    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
  }

  private let source: FileDescriptor
  private let target: FileDescriptor
  private let staging: CInt
  private let owner: UInt32
  private let safe: FileDescriptor
  private let fresh: FileDescriptor

  private var copied: [(directory: OpenDirectory, name: FileName)] = []
  private var copiedBytes: UInt64 = 0
  private var directories = 0
  private var freshLinks: [FileName] = []
  /// The current directory of the source, once an entry of it is in `copied`.
  private var current: OpenDirectory?
  private var failures = TreeFailures()
  /// Files that could not be opened yet, because somebody has a lease on them (fcntl(2)).
  private var leased = 0

  init(
    from source: borrowing TreePlace, to target: borrowing TreePlace, staging: CInt, owner: UInt32
  ) throws(Errno) {
    self.source = try Self.open(source.name, in: source.parent.raw)
    self.target = try Self.makeDirectory(target.name, in: target.parent.raw)
    safe = try Self.makeDirectory(Self.safe, in: staging)
    fresh = try Self.makeDirectory(Self.fresh, in: staging)
    self.staging = staging
    self.owner = owner
    // From an interrupted call, after which they are not safe.
    try Self.removeFiles(of: fresh.raw)
  }

  /// Moves until a walk finds nothing to move.
  func run(_ moved: inout MovedTree, _ proceed: () -> Bool) throws(Errno) {
    var waits = 0
    while true {
      failures = TreeFailures()
      leased = 0
      let before = moved
      try walk(&moved, proceed)
      try flush()
      if leased > 0 && moved == before {
        waits += 1
        guard waits < Self.leasesMax else {
          throw Errno(EAGAIN, "move: \(leased) files are leased (fcntl(2))")
        }
        sleep(1)
        continue
      }
      // What failed is still there, and would be copied again and again.
      try failures.throwAny("move")
      if moved == before { return }
    }
  }

  private func walk(_ moved: inout MovedTree, _ proceed: () -> Bool) throws(Errno) {
    TreeStaging.secure(source.raw)
    try own(target.raw, from: source.raw)
    var cursor = try TreeCursor(source.raw)
    var target = try Self.open(Directory.this, in: target.raw)
    current = nil
    while true {
      guard let entry = try cursor.next() else {
        if cursor.isAtTop { return }
        try cursor.ascend()
        target = try Self.open(Directory.above, in: target.raw)
        current = nil
        continue
      }
      guard proceed() else { throw Errno(ECANCELED, "move a tree") }
      let source = cursor.directory.descriptor
      guard let status = FileStatus(entry.name, in: source) else {
        if errno != ENOENT { failures.add(errno, entry.name, in: source) }
        continue
      }
      let code: Int32
      switch status.kind {
      case .directory:
        guard status.mount == cursor.mount else {
          code = EBUSY
          break
        }
        guard let below = try enter(entry.name, &cursor, target.raw) else { continue }
        target = below
        current = nil
        continue
      case .regular:
        code = try moveFile(entry.name, status, source, target.raw, &moved)
      case .symbolicLink:
        code = Self.link(entry.name, status, source, target.raw, owner)
        if code == 0 { moved.files += 1 }
      case .fifo:
        code = Self.makeFIFO(entry.name, status, target.raw, owner)
        if code == 0 { moved.files += 1 }
      case .other:
        code = 0
        moved.left += 1
      }
      switch code {
      case 0: try done(entry.name, status, source)
      case EAGAIN: leased += 1
      // More of the same would fail too.
      case ENOSPC, EDQUOT, EROFS, ENOMEM, EMFILE, ENFILE:
        failures.add(code, entry.name, in: source)
        try failures.throwAny("move")
      default: failures.add(code, entry.name, in: source)
      }
    }
  }

  /// Makes a directory in the target, and goes into both. Nil when that failed.
  private func enter(
    _ name: FileName, _ cursor: inout TreeCursor, _ target: CInt
  ) throws(Errno) -> FileDescriptor? {
    let above = cursor.directory.descriptor
    do throws(Errno) {
      let below = try Self.makeDirectory(name, in: target)
      try cursor.descend(name)
      TreeStaging.secure(cursor.directory.descriptor)
      try own(below.raw, from: cursor.directory.descriptor)
      return below
    } catch {
      if [ENOSPC, EDQUOT, EROFS].contains(error.code) {
        throw Errno(error.code, "move \(TreePlace.path(of: above))/\(name)")
      }
      if error.code != ENOENT { failures.add(error.code, name, in: above) }
      return nil
    }
  }

  /// Makes a directory of the target what it has to be.
  private func own(_ target: CInt, from source: CInt) throws(Errno) {
    guard fchown(target, owner, owner) == 0, fchmod(target, 0o700) == 0,
      linux_copy_user_attributes(source, target) == 0
    else { throw Errno.last("make \(TreePlace.path(of: target))") }
  }

  // MARK: - Files

  private func moveFile(
    _ name: FileName, _ status: FileStatus, _ source: CInt, _ target: CInt, _ moved: inout MovedTree
  ) throws(Errno) -> Int32 {
    // The other names of a file may be gone already, in this call or in an interrupted one. The birth time
    // tells it from a later file with the same number.
    let key = FileName("\(status.inode)-\(status.born)")
    for links in [safe.raw, fresh.raw] {
      let code = Self.replacing(name, in: target) { linkat(links, key.bytes, target, name.bytes, 0) }
      if code == 0 {
        moved.links += 1
        return 0
      }
      // A copy that can have no more names is copied again.
      if code != ENOENT && code != EMLINK { return code }
    }
    let code = copyFile(name, status, source)
    guard code == 0 else { return code }
    if status.links > 1 {
      unlinkat(fresh.raw, key.bytes, 0)
      guard linkat(staging, Self.copy.bytes, fresh.raw, key.bytes, 0) == 0 else { return errno }
      freshLinks.append(key)
    }
    guard renameat(staging, Self.copy.bytes, target, name.bytes) == 0 else { return errno }
    moved.files += 1
    copiedBytes += status.held
    return 0
  }

  /// Makes a copy with all that belongs to it under the name ``copy``.
  private func copyFile(_ name: FileName, _ status: FileStatus, _ source: CInt) -> Int32 {
    let input = linux_openat(source, name.bytes, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0)
    guard input >= 0 else {
      // The owner of the file could take a lease again and again; on a file of root's it cannot.
      if errno == EAGAIN { fchownat(source, name.bytes, geteuid(), getegid(), AT_SYMLINK_NOFOLLOW) }
      return errno == EWOULDBLOCK ? EAGAIN : errno
    }
    let from = FileDescriptor(owning: input)
    guard let opened = try? FileStatus(from.raw), opened.isSameFile(as: status) else { return ESTALE }
    unlinkat(staging, Self.copy.bytes, 0)
    let output = linux_openat(
      staging, Self.copy.bytes, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard output >= 0 else { return errno }
    let to = FileDescriptor(owning: output)
    let code = FileCopy.copy(from.raw, to: to.raw, size: opened.size)
    guard code == 0 else {
      unlinkat(staging, Self.copy.bytes, 0)
      return code
    }
    guard linux_copy_user_attributes(from.raw, to.raw) == 0, fchown(to.raw, owner, owner) == 0,
      fchmod(to.raw, opened.ownersMode) == 0,
      linux_set_times(to.raw, "", status.accessed, opened.modified) == 0
    else { return errno }
    return 0
  }

  private static func link(
    _ name: FileName, _ status: FileStatus, _ source: CInt, _ target: CInt, _ owner: UInt32
  ) -> Int32 {
    var text = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    let length = readlinkat(source, name.bytes, &text, text.count - 1)
    guard length >= 0 else { return errno }
    let code = replacing(name, in: target) { symlinkat(text, target, name.bytes) }
    return code == 0 ? finish(name, status, target, owner) : code
  }

  private static func makeFIFO(
    _ name: FileName, _ status: FileStatus, _ target: CInt, _ owner: UInt32
  ) -> Int32 {
    let code = replacing(name, in: target) { mkfifoat(target, name.bytes, status.ownersMode) }
    return code == 0 ? finish(name, status, target, owner) : code
  }

  private static func finish(
    _ name: FileName, _ status: FileStatus, _ target: CInt, _ owner: UInt32
  ) -> Int32 {
    guard fchownat(target, name.bytes, owner, owner, AT_SYMLINK_NOFOLLOW) == 0,
      linux_set_times(target, name.bytes, status.accessed, status.modified) == 0
    else { return errno }
    return 0
  }

  /// Makes a name; what an interrupted call left there is replaced. 0 or an errno.
  private static func replacing(_ name: FileName, in directory: CInt, _ make: () -> Int32) -> Int32 {
    if make() == 0 { return 0 }
    guard errno == EEXIST else { return errno }
    guard unlinkat(directory, name.bytes, 0) == 0, make() == 0 else { return errno }
    return 0
  }

  // MARK: - Batches

  /// An entry's copy is complete: it may be removed from the source after the next flush.
  private func done(_ name: FileName, _ status: FileStatus, _ source: CInt) throws(Errno) {
    let directory: OpenDirectory
    if let current {
      directory = current
    } else {
      directory = OpenDirectory(try FileDescriptor.duplicate(source, atLeast: 3))
      current = directory
      directories += 1
    }
    copied.append((directory, name))
    if copied.count >= Self.entriesMax || copiedBytes >= Self.bytesMax || directories >= Self.directoriesMax {
      try flush()
    }
  }

  private func flush() throws(Errno) {
    guard !copied.isEmpty else { return }
    guard linux_sync_file_system(staging) == 0 else {
      throw Errno.last("write \(TreePlace.path(of: staging)) to its disk")
    }
    for link in freshLinks {
      guard renameat(fresh.raw, link.bytes, safe.raw, link.bytes) == 0 else {
        throw Errno.last("move a link")
      }
    }
    for entry in copied where unlinkat(entry.directory.descriptor.raw, entry.name.bytes, 0) != 0 {
      failures.add(errno, entry.name, in: entry.directory.descriptor.raw)
    }
    copied = []
    freshLinks = []
    copiedBytes = 0
    directories = 0
    current = nil
  }

  // MARK: - The staging directory

  /// Removes everything that a move makes there.
  static func clean(_ staging: CInt) throws(Errno) {
    for links in [safe, fresh] where FileStatus(links, in: staging) != nil {
      let directory = try open(links, in: staging)
      try removeFiles(of: directory.raw)
      unlinkat(staging, links.bytes, AT_REMOVEDIR)
    }
    unlinkat(staging, copy.bytes, 0)
  }

  private static func makeDirectory(_ name: FileName, in directory: CInt) throws(Errno) -> FileDescriptor {
    if mkdirat(directory, name.bytes, 0o700) != 0 && errno != EEXIST {
      throw Errno.last("create a directory")
    }
    return try open(name, in: directory)
  }

  private static func open(_ name: FileName, in directory: CInt) throws(Errno) -> FileDescriptor {
    let raw = linux_openat(directory, name.bytes, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
    guard raw >= 0 else { throw Errno.last("open a directory") }
    return FileDescriptor(owning: raw)
  }

  private static func removeFiles(of directory: CInt) throws(Errno) {
    let listing = try Directory(Directory.this, in: directory)
    while let name = try listing.next() { unlinkat(directory, name.bytes, 0) }
  }
}
