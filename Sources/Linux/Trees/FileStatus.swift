internal import CLinux
internal import Glibc

/// What the kernel says of a file that may be a stranger's: nothing is followed, mounted or opened for it.
struct FileStatus {
  enum Kind { case directory, regular, symbolicLink, fifo, other }

  private let raw: linux_status

  /// Describes a name in a directory; nil, with errno, when there is none.
  init?(_ name: FileName, in directory: CInt) {
    var raw = linux_status()
    guard linux_status(directory, name.bytes, &raw) == 0 else { return nil }
    self.raw = raw
  }

  /// Describes an open file.
  init(_ descriptor: CInt) throws(Errno) {
    var raw = linux_status()
    guard linux_status(descriptor, "", &raw) == 0 else { throw Errno.last("stat") }
    self.raw = raw
  }

  var kind: Kind {
    switch raw.mode & UInt32(S_IFMT) {
    case UInt32(S_IFDIR): .directory
    case UInt32(S_IFREG): .regular
    case UInt32(S_IFLNK): .symbolicLink
    case UInt32(S_IFIFO): .fifo
    default: .other
    }
  }

  var device: UInt64 { raw.device }
  var inode: UInt64 { raw.inode }
  var mount: UInt64 { raw.mount }
  var size: UInt64 { raw.size }
  var links: UInt32 { raw.links }
  var born: Int64 { raw.born }
  var accessed: Int64 { raw.accessed }
  var modified: Int64 { raw.modified }
  var isFixed: Bool { raw.fixed != 0 }

  /// The bytes that the file holds: its size without its holes.
  var held: UInt64 { min(raw.size, raw.allocated) }

  /// The owner's permissions alone: no other uid's, and no setuid, setgid and sticky bit.
  var ownersMode: UInt32 { raw.mode & 0o700 }

  func isSameFile(as other: FileStatus) -> Bool { device == other.device && inode == other.inode }

  /// A directory in which nobody but root makes, renames and removes names.
  var isRootsOwn: Bool { kind == .directory && isRoots && raw.mode & 0o022 == 0 }

  /// The tests of a developer who is not root are their own root.
  var isRoots: Bool { raw.uid == 0 || raw.uid == geteuid() }
}
