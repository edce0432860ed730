import Glibc
import Linux
import PodModel
import PodStore
import Systemd
import Time

/// The one owner of pods' and users' data: where it lies, and how it moves.
///
/// A tenant may have a million files, and podd's loop must answer systemd's watchdog meanwhile. So every
/// function that moves, gives away, removes or lists files is asynchronous and works in a
/// ``BackgroundThread``; nothing else in podd calls ``FileTree``. What stays on the loop is a constant number
/// of system calls for each user: it makes a directory, or finds that it is as it should be. A launch, which
/// finds all directories in place, does not suspend here.
@LoopActor
final class UserFiles {
  nonisolated static let pods = "\(StateDirectory.path)/pods"
  nonisolated static let kept = "\(StateDirectory.path)/kept"

  nonisolated static func directory(of pod: PodName) -> String { "\(pods)/\(pod)" }
  nonisolated static func directory(of user: UserName, in pod: PodName) -> String { "\(pods)/\(pod)/\(user)" }
  nonisolated static func keptDirectory(of user: UserName) -> String { "\(kept)/\(user)" }

  /// One move of a user's data at a time: a launch must not start a program while a provision still brings
  /// data back.
  private let moves = KeyedLock<UserName>()

  /// One writer of a pod's users file at a time, in the order of the calls. A caller that waits for a move
  /// must not then replace a newer list of users by its older one.
  let writers = KeyedLock<PodName>()

  private let counted = UserSizes()

  nonisolated static func ensureBase() throws(Errno) {
    try StateDirectory.ensure()
    try Files.makeDirectory(pods, mode: 0o700)
    try Files.makeDirectory(kept, mode: 0o700)
  }

  nonisolated static func ensureDirectory(of pod: PodName, uid: UInt32) throws(Errno) {
    try Files.makeDirectory(directory(of: pod), mode: 0o700, owner: uid)
  }

  /// Makes the directories of these users, and brings back the data of those who have some from an earlier
  /// life.
  func ensure(_ users: [UserRecord], in pod: PodName, uid: UInt32) async throws(Errno) {
    try Self.ensureDirectory(of: pod, uid: uid)
    for user in users { try await ensure(user, in: pod, uid: uid) }
  }

  private func ensure(_ user: UserRecord, in pod: PodName, uid: UInt32) async throws(Errno) {
    let target = Self.directory(of: user.name, in: pod)
    let earlier =
      user.keptFrom.map { Self.directory(of: user.name, in: $0) } ?? Self.keptDirectory(of: user.name)
    if moves.isTaken(user.name) || (earlier != target && Files.exists(earlier)) {
      try await move(user.name) { () throws(Errno) in
        // The move that this one waited for may have brought it.
        guard earlier != target, Files.exists(earlier) else { return }
        try Self.move(earlier, to: target)
        try FileTree.changeOwner(target, to: uid)
      }
    }
    try Files.makeDirectory(target, mode: 0o700, owner: uid)
  }

  /// Puts the data of a deleted user aside, where no pod reaches it.
  func putAside(_ user: UserName, from pod: PodName) async throws(Errno) {
    try await move(user) { () throws(Errno) in
      let source = Self.directory(of: user, in: pod)
      guard Files.exists(source) else { return }
      let kept = Self.keptDirectory(of: user)
      try Self.move(source, to: kept)
      try FileTree.changeOwner(kept, to: 0)
    }
  }

  /// Removes a user's data, also what was put aside.
  func remove(_ user: UserName, from pod: PodName?) async throws(Errno) {
    try await move(user) { () throws(Errno) in
      if let pod { try FileTree.remove(Self.directory(of: user, in: pod)) }
      try FileTree.remove(Self.keptDirectory(of: user))
    }
  }

  /// Bytes in each user's files; nil where ``UserSizes`` knows none.
  func sizes(of users: [(user: UserName, pod: PodName)], within: Microseconds) async -> [UInt64?] {
    await counted.sizes(of: users.map { Self.directory(of: $0.user, in: $0.pod) }, within: within)
  }

  private func move(
    _ user: UserName, _ body: @escaping @Sendable () throws(Errno) -> Void
  ) async throws(Errno) {
    await moves.take(user)
    defer { moves.end(user) }
    try await BackgroundThread.run(body)
  }

  /// An empty directory at `target` is replaced; rename(2) refuses to replace a filled one.
  private nonisolated static func move(_ source: String, to target: String) throws(Errno) {
    guard rename(source, target) == 0 else { throw Errno.last("move \(source) to \(target)") }
  }
}
