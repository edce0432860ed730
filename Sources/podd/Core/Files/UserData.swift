import Glibc
import PodModel
import PodStore
import Systemd

/// Where pods' and users' data lies, and how it moves.
enum UserData {
  static let pods = "/var/lib/podctl/pods"
  static let kept = "/var/lib/podctl/kept"

  static func directory(of pod: PodName) -> String { "\(pods)/\(pod)" }
  static func directory(of user: String, in pod: PodName) -> String { "\(pods)/\(pod)/\(user)" }
  static func keptDirectory(of user: String) -> String { "\(kept)/\(user)" }

  static func ensureBase() throws(Errno) {
    try Files.makeDirectory("/var/lib/podctl", mode: 0o700)
    try Files.makeDirectory(pods, mode: 0o700)
    try Files.makeDirectory(kept, mode: 0o700)
  }

  static func ensure(_ pod: PodName, uid: UInt32) throws(Errno) {
    try Files.makeDirectory(directory(of: pod), mode: 0o700, owner: uid)
  }

  /// Makes a user's directory, or brings back what was kept of an earlier one.
  static func ensure(_ user: UserRecord, in pod: PodName, uid: UInt32) throws(Errno) {
    try ensure(pod, uid: uid)
    let target = directory(of: user.name, in: pod)
    let earlier =
      if let old = user.keptFrom { directory(of: user.name, in: old) } else { keptDirectory(of: user.name) }
    if earlier != target && Files.exists(earlier) {
      try move(earlier, to: target)
      try FileTree.changeOwner(target, to: uid)
    }
    try Files.makeDirectory(target, mode: 0o700, owner: uid)
  }

  /// Puts the data of a deleted user aside, where no pod reaches it.
  static func putAside(_ user: String, from pod: PodName) throws(Errno) {
    let source = directory(of: user, in: pod)
    guard Files.exists(source) else { return }
    try move(source, to: keptDirectory(of: user))
    try FileTree.changeOwner(keptDirectory(of: user), to: 0)
  }

  static func remove(_ user: String, from pod: PodName?) throws(Errno) {
    if let pod { try FileTree.remove(directory(of: user, in: pod)) }
    try FileTree.remove(keptDirectory(of: user))
  }

  /// Bytes in a user's files, one directory deep; nil when it cannot be read.
  static func size(of user: String, in pod: PodName) -> UInt64? {
    let path = directory(of: user, in: pod)
    guard let names = try? Files.names(in: path) else { return nil }
    var total: UInt64 = 0
    for name in names {
      var status = stat()
      if lstat("\(path)/\(name)", &status) == 0 { total += UInt64(max(0, status.st_size)) }
    }
    return total
  }

  /// Over an empty directory, never over a filled one: rename(2) refuses that.
  private static func move(_ source: String, to target: String) throws(Errno) {
    guard rename(source, target) == 0 else { throw Errno.last("move \(source) to \(target)") }
  }
}
