internal import Glibc

extension FileTree {
  /// Gives a tree to one uid and gid, symbolic links themselves included. A file that has other names changes
  /// its owner there too, and who has it open keeps it: for a tree that no tenant has reached yet.
  public static func changeOwner(
    _ path: String, to owner: UInt32, proceed: () -> Bool = { true }
  ) throws(Errno) {
    guard let place = try TreePlace.find(path), try place.status() != nil else { return }
    let root = try Directory(place.name, in: place.parent.raw)
    guard fchown(root.descriptor, owner, owner) == 0 else { throw Errno.last("chown \(path)") }
    var cursor = try TreeCursor(root.descriptor)
    var failures = TreeFailures()
    while true {
      guard let entry = try cursor.next() else {
        if cursor.isAtTop { break }
        try cursor.ascend()
        continue
      }
      guard proceed() else { throw Errno(ECANCELED, "chown \(path)") }
      let directory = cursor.directory.descriptor
      guard let status = FileStatus(entry.name, in: directory) else { continue }
      if status.mount != cursor.mount {
        failures.add(EXDEV, entry.name, in: directory)
      } else if fchownat(directory, entry.name.bytes, owner, owner, AT_SYMLINK_NOFOLLOW) != 0 {
        if errno != ENOENT { failures.add(errno, entry.name, in: directory) }
      } else if status.kind == .directory {
        do throws(Errno) { try cursor.descend(entry.name) } catch  where error.code == ENOENT {}
      }
    }
    try failures.throwAny("chown")
  }
}
