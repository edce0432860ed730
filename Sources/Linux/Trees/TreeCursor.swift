internal import Glibc

/// A walk down a tree and up again, with one open descriptor at any depth. It remembers 24 bytes of each
/// directory above: which one it is, and where its listing goes on.
struct TreeCursor: ~Copyable {
  private struct Level {
    let device, inode: UInt64
    let next: Int
  }

  private(set) var directory: Directory
  private var status: FileStatus
  private var levels: [Level] = []
  private var position = 0

  /// - Parameter root: the directory; another descriptor of it is opened.
  init(_ root: CInt) throws(Errno) {
    // Both before `self`: a value that owns something is not made by half.
    let status = try FileStatus(root)
    let directory = try Directory(Directory.this, in: root)
    self.status = status
    self.directory = directory
  }

  var isAtTop: Bool { levels.isEmpty }
  /// The mount that the walk is in.
  var mount: UInt64 { status.mount }

  mutating func next() throws(Errno) -> Directory.Entry? {
    guard let entry = try directory.nextEntry() else { return nil }
    position = entry.next
    return entry
  }

  /// Goes into a directory of the current one.
  mutating func descend(_ name: FileName) throws(Errno) {
    let below = try Directory(name, in: directory.descriptor)
    let found = try FileStatus(below.descriptor)
    guard found.mount == status.mount else { throw Errno(EXDEV, "enter a mount point") }
    levels.append(Level(device: status.device, inode: status.inode, next: position))
    directory = below
    status = found
  }

  /// Goes back to the directory above, after the entry that led down. ESTALE: somebody moved the tree's
  /// directories meanwhile, and the one above is another one now.
  mutating func ascend() throws(Errno) {
    guard let level = levels.popLast() else { return }
    let above = try Directory(Directory.above, in: directory.descriptor)
    let found = try FileStatus(above.descriptor)
    guard found.device == level.device, found.inode == level.inode else {
      throw Errno(ESTALE, "go back in a tree that was moved")
    }
    above.seek(to: level.next)
    directory = above
    status = found
  }
}
