internal import Glibc

extension FileTree {
  /// Removes a tree, or whatever has that name, and what an interrupted removal or move left beside it; what does not
  /// exist counts as removed, so this is called again without looking whether the path exists. A file system that is
  /// mounted in it is not entered and stays, and so does what is immutable: all else is removed, and the error
  /// says where these are now.
  /// - Parameter proceed: asked before each entry; false ends the call with ECANCELED.
  public static func remove(_ path: String, proceed: () -> Bool = { true }) throws(Errno) {
    // A move to this path that was interrupted left a copy of a file, and second names of copies.
    if let staging = try TreePlace.find(path)?.staging("arriving", key: path, create: false) {
      try TreeMove.clean(staging.directory.raw)
      try staging.discard()
    }
    try remove(path, only: .everything, proceed: proceed)
  }

  static func remove(_ path: String, only kinds: TreeRemoval.Kinds, proceed: () -> Bool) throws(Errno) {
    guard let place = try TreePlace.find(path) else { return }
    let exists = try place.status() != nil
    guard let staging = try place.staging("removing", key: path, create: exists) else { return }
    var removal = TreeRemoval(staging.directory.raw, only: kinds)
    if exists {
      // From here on the tree is gone, even if this process ends now.
      let code = removal.take(place.name, from: place.parent.raw)
      if code != 0 && code != ENOENT {
        var failures = TreeFailures()
        failures.add(code, place.name, in: place.parent.raw)
        try failures.throwAny("remove")
      }
    }
    try removal.run(proceed)
    try staging.discard()
    // Otherwise a power cut could bring back what is reported as removed.
    try staging.sync()
  }
}

/// Empties a staging directory. A directory in it is emptied by removing its files and by renaming its
/// directories into the staging directory, where their turn comes: no path gets longer, no descriptor stays
/// open, and no tenant can move a directory away under the walk.
struct TreeRemoval {
  enum Kinds { case everything, directories }

  private let staging: CInt
  private let kinds: Kinds
  /// The name that the next directory gets.
  private var number = 0

  /// - Parameter kinds: with `directories`, anything else is a failure and stays.
  init(_ staging: CInt, only kinds: Kinds) {
    self.staging = staging
    self.kinds = kinds
  }

  /// Renames an entry into the staging directory; 0 or an errno.
  mutating func take(_ name: FileName, from directory: CInt) -> Int32 {
    while true {
      let target = FileName(String(number))
      number += 1
      if renameat(directory, name.bytes, staging, target.bytes) == 0 { return 0 }
      // An interrupted call left something of this name: it is tried with the next one.
      guard [EEXIST, ENOTEMPTY, EISDIR, ENOTDIR].contains(errno) else { return errno }
    }
  }

  mutating func run(_ proceed: () -> Bool) throws(Errno) {
    var failures: TreeFailures
    var progress: Bool
    // A directory that got no more names (EMLINK) or was filled during its turn needs another one. Without
    // progress, what is left cannot be removed.
    repeat {
      failures = TreeFailures()
      progress = false
      let listing = try Directory(Directory.this, in: staging)
      while let entry = try listing.nextEntry() {
        guard proceed() else { throw Errno(ECANCELED, "remove a tree") }
        let code = isDirectory(entry, in: staging) ? EISDIR : unlink(entry.name, in: staging)
        switch code {
        case 0: progress = true
        case ENOENT: break
        case EISDIR: progress = try empty(entry.name, &failures, proceed) || progress
        default: failures.add(code, entry.name, in: staging)
        }
      }
    } while progress
    try failures.throwAny("remove")
  }

  /// - Returns: whether anything was removed, or moved.
  private mutating func empty(
    _ name: FileName, _ failures: inout TreeFailures, _ proceed: () -> Bool
  ) throws(Errno) -> Bool {
    do throws(Errno) {
      return try empty(try open(name), name, &failures, proceed)
    } catch  where error.code != ECANCELED {
      failures.add(error.code, name, in: staging)
      return false
    }
  }

  private func open(_ name: FileName) throws(Errno) -> Directory {
    let directory = try Directory(name, in: staging)
    let here = try FileStatus(staging)
    guard try FileStatus(directory.descriptor).mount == here.mount else { throw Errno(EBUSY) }
    TreeStaging.secure(directory.descriptor)
    return directory
  }

  private mutating func empty(
    _ directory: borrowing Directory, _ name: FileName, _ failures: inout TreeFailures, _ proceed: () -> Bool
  ) throws(Errno) -> Bool {
    var progress = false
    var isFull = false
    while let entry = try directory.nextEntry() {
      guard proceed() else { throw Errno(ECANCELED, "remove a tree") }
      let code =
        isDirectory(entry, in: directory.descriptor)
        ? take(entry.name, from: directory.descriptor) : unlink(entry.name, in: directory.descriptor)
      switch code {
      case 0: progress = true
      case ENOENT: break
      case EMLINK: isFull = true
      default: failures.add(code, entry.name, in: directory.descriptor)
      }
    }
    if unlinkat(staging, name.bytes, AT_REMOVEDIR) == 0 { return true }
    // What is in it is reported already, or has its turn in the next round.
    if errno != ENOENT && errno != ENOTEMPTY && errno != EEXIST { failures.add(errno, name, in: staging) }
    if isFull && !progress { failures.add(EMLINK, name, in: staging) }
    return progress
  }

  private func isDirectory(_ entry: Directory.Entry, in directory: CInt) -> Bool {
    entry.isDirectory || (entry.kindIsUnknown && FileStatus(entry.name, in: directory)?.kind == .directory)
  }

  private func unlink(_ name: FileName, in directory: CInt) -> Int32 {
    if kinds == .directories { return ENOTEMPTY }
    return unlinkat(directory, name.bytes, 0) == 0 ? 0 : errno
  }
}
