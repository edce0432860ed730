internal import CLinux
internal import Glibc

/// What ``FileTree/moveIntoNewInodes(from:to:owner:proceed:)`` did in one call.
public struct MovedTree: Sendable, Equatable {
  /// Files that were copied, and names that were made for a file that was copied already.
  public var files = 0
  public var links = 0
  /// Sockets and devices, which were removed instead.
  public var left = 0

  public init() {}
}

extension FileTree {
  /// Moves a tree into new inodes, which belong to `owner` (uid and gid) and to nobody else: whoever has a file,
  /// a directory or a mapping of the old tree open, or another name for a file, has the old inode, of which the
  /// new tree shows nothing. The target may be on another file system.
  ///
  /// Both lie in directories of root's, so a tenant's tree is first renamed into one. There the tree cannot be
  /// reached any more; its directories become root's before they are listed, so that nobody who has one open
  /// can make or move names in it.
  ///
  /// Kept are names, content, holes, times and attributes `user.*` of files, the owner's permissions of files
  /// (directories get 0700), symbolic links, FIFOs, and several names of one file. Not kept are other
  /// permissions, ACLs, capabilities, and the times of directories.
  ///
  /// Files are removed from the source in batches, after their copies are on the disk: the space of one batch
  /// and one file is needed. If the call ends early, for whatever reason, also in a power cut, **a call with the
  /// same source and target continues**; nothing is lost, and the source is there as long as anything is in it.
  /// When the call returns, the target is complete and on the disk, and the source is gone. A source that does
  /// not exist has been moved already.
  /// - Parameter proceed: asked before each entry; false ends the call with ECANCELED.
  /// - Throws: an error that names an entry: all others were moved, and this one is still in the source.
  @discardableResult
  public static func moveIntoNewInodes(
    from source: String, to target: String, owner: UInt32, proceed: () -> Bool = { true }
  ) throws(Errno) -> MovedTree {
    var moved = MovedTree()
    guard let to = try TreePlace.find(target) else { throw Errno(ENOENT, "move to \(target)") }
    if let from = try TreePlace.find(source), let status = try from.status() {
      guard from.isInRootsDirectory, to.isInRootsDirectory else {
        throw Errno(EPERM, "move \(source) to \(target): both must be in a directory of root's")
      }
      guard status.kind == .directory else { throw Errno(ENOTDIR, "move \(source)") }
      guard let staging = try to.staging("arriving", key: target, create: true) else {
        throw Errno(ENOENT, target)
      }
      let move = try TreeMove(from: from, to: to, staging: staging.directory.raw, owner: owner)
      try move.run(&moved, proceed)
      try staging.sync()
    }
    if let staging = try to.staging("arriving", key: target, create: false) {
      try TreeMove.clean(staging.directory.raw)
      try staging.discard()
    }
    // Only directories are left, and an earlier call may have ended here. A file that somebody was just making
    // would stay, and be an error.
    try remove(source, only: .directories, proceed: proceed)
    return moved
  }
}
