import Glibc
import Linux
import PodModel
import PodStore

/// How data moves between pods and what is kept. Every function blocks, for as long as a tree is large, and can be
/// called again after a crash at any point: it goes on with what it finds.
///
/// Data leaves a pod by a rename, so at once, and comes into a pod only as new inodes that podd has made: whoever holds
/// a descriptor, a mapping or a hard link of the old ones has nothing of the new ones (decision 0021).
struct DataMoves: Sendable {
  let places: DataPlaces

  // MARK: Users

  /// Takes a user's data out of a pod at once. What an earlier attempt took out has been kept or removed before.
  func withdraw(_ user: UserName, from pod: PodDirectory) throws(Errno) {
    try makeParent(of: places.leaving(user))
    _ = try pod.withdraw(user, to: places.leaving(user))
  }

  /// Puts aside what was taken out of a pod.
  func keepLeaving(_ user: UserName) throws(Errno) {
    try keep(places.leaving(user), as: places.kept(user), staging: places.keeping("users-\(user)"))
  }

  /// Removes what was taken out of a pod.
  func removeLeaving(_ user: UserName) throws(Errno) {
    try FileTree.remove(places.leaving(user))
  }

  /// Removes a user's data, wherever it lies but in a pod.
  func remove(_ user: UserName) throws(Errno) {
    for path in [
      places.leaving(user), places.arriving(user), places.arrivingPrograms(of: user),
      places.keeping("users-\(user)"), places.kept(user), places.keptPrograms(of: user),
    ] {
      // Also where nothing has this name: an interrupted removal left the rest beside it.
      try FileTree.remove(path)
    }
  }

  /// Makes what was kept of a user ready for a pod: in new inodes, owned by the pod, where no pod reaches it yet.
  /// Returns whether there is something.
  func stage(_ user: UserName, owner: UInt32) throws(Errno) -> Bool {
    try stage(places.kept(user), as: places.arriving(user), owner: owner)
  }

  // MARK: What programs stored

  /// Empties the place of a pod without users and generations, for the next ones: what its program stored is put aside
  /// with its last user, or taken out to be removed.
  ///
  /// - Returns: the name under which it is kept; nil: nothing was stored, or it is to be removed.
  func clean(_ pod: PodDirectory, _ cleaning: PodRecord.Cleaning) throws(Errno) -> String? {
    let source = places.directory(of: pod.pod)
    let name = "\(pod.pod)-\(cleaning.id)"
    let isGone = try pod.removeIfEmpty()
    switch cleaning.kind {
    case .remove:
      guard !isGone else { return nil }
      let target = "\(places.removing)/\(name)"
      try makeParent(of: target)
      try FileTree.remove(target)
      try Files.move(source, to: target)
      return nil
    case .keep:
      let target = "\(places.keptPrograms(of: cleaning.user))/\(name)"
      let staging = places.keeping("program-\(name)")
      let isPartlyKept = try Files.kind(of: staging) != nil
      if !isGone || isPartlyKept {
        if !isGone { try pod.renameUsersDirectory() }
        try makeParent(of: target)
        try keep(source, as: target, staging: staging)
      }
      // Also after a crash right after the last step.
      return try Files.kind(of: target) == nil ? nil : name
    }
  }

  /// Removes what was taken out of pods to be removed.
  func removeTaken() throws(Errno) {
    guard try Files.kind(of: places.removing) != nil else { return }
    for name in try Files.names(in: places.removing) { try FileTree.remove("\(places.removing)/\(name)") }
  }

  /// Brings what a program had stored for a user whom alone it served into the pod's directory, which nobody has used
  /// yet. Returns false where somebody has: then it stays where it is kept.
  func bringProgram(_ name: String, of user: UserName, to pod: PodDirectory) throws(Errno) -> Bool {
    let staging = "\(places.arrivingPrograms(of: user))/\(name)"
    let source = "\(places.keptPrograms(of: user))/\(name)"
    // After a crash right after the last step, nothing is left to be brought.
    let (kept, staged) = (try Files.kind(of: source), try Files.kind(of: staging))
    guard kept != nil || staged != nil else { return true }
    guard try pod.removeIfEmpty() else { return false }
    if try stage(source, as: staging, owner: pod.uid) {
      try Files.move(staging, to: places.directory(of: pod.pod))
    }
    rmdir(places.arrivingPrograms(of: user))
    rmdir(places.keptPrograms(of: user))
    return true
  }

  // MARK: Steps

  /// Puts a tree aside: a rename, or a copy where what is kept is on another file system.
  private func keep(_ source: String, as target: String, staging: String) throws(Errno) {
    switch try Files.kind(of: source) {
    case .other:
      // The program put it in the place of the directory: it is nobody's data.
      guard unlink(source) == 0 || errno == ENOENT else { throw Errno.last("remove \(source)") }
    case .directory:
      try seal(source, owner: 0)
      // An empty one is nobody's data.
      rmdir(target)
      do throws(Errno) {
        return try Files.move(source, to: target)
      } catch {
        if error.code == EEXIST { throw isInTheWay(target) }
        if error.code != EXDEV { throw error }
      }
      try makeParent(of: staging)
      try FileTree.moveIntoNewInodes(from: source, to: staging, owner: 0)
    case nil: break
    }
    guard try Files.kind(of: staging) != nil else { return }
    rmdir(target)
    do throws(Errno) {
      try Files.move(staging, to: target)
    } catch {
      if error.code == EEXIST { throw isInTheWay(target) }
      throw error
    }
  }

  private func isInTheWay(_ target: String) -> Errno {
    Errno(EEXIST, "\(target) is in the way of what is to be kept there: move it away, then try again")
  }

  private func stage(_ source: String, as staging: String, owner: UInt32) throws(Errno) -> Bool {
    let isResumed = try Files.kind(of: staging) != nil
    let kept = try Files.kind(of: source)
    guard isResumed || kept == .directory else { return false }
    try makeParent(of: staging)
    try FileTree.moveIntoNewInodes(from: source, to: staging, owner: owner)
    // It may have been begun for another pod. No pod has ever reached it.
    if isResumed { try FileTree.changeOwner(staging, to: owner) }
    try seal(staging, owner: owner)
    return true
  }

  /// Gives the directory itself to one owner: who holds it open cannot add to it any more.
  private func seal(_ path: String, owner: UInt32) throws(Errno) {
    let directory = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    guard fchown(directory.raw, owner, owner) == 0, fchmod(directory.raw, 0o700) == 0 else {
      throw Errno.last("change the owner of \(path)")
    }
  }

  private func makeParent(of path: String) throws(Errno) {
    let directory = parent(of: path)
    if try Files.kind(of: directory) == .directory { return }
    try makeParent(of: directory)
    try Files.makeDirectory(directory, mode: 0o700)
  }
}
