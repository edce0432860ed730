import Glibc
import PodModel
import PodStore
import Systemd

/// The users that a running pod's program knows, kept in a file next to its users file. When podd ends
/// between placing a user and notifying the pod, the next podd finds the difference here and notifies the
/// pod; otherwise it leaves the pod alone.
enum DeliveredUsers {
  private static func path(of pod: PodName) -> String { UsersFile.directory(of: pod) + "/told" }

  /// An epoch rises with every change of a placement, so names and epochs identify the content of the users
  /// file.
  private static func text(_ users: [UserRecord]) -> String {
    users.filter { $0.status == .active }.map { "\($0.name) \($0.epoch)\n" }.sorted().joined()
  }

  static func record(_ users: [UserRecord], of pod: PodName) {
    do throws(Errno) {
      try Files.replace(path(of: pod), with: text(users), mode: 0o600)
    } catch {
      Log.debug("\(pod): \(error); after a restart of podd it will be notified of its users once more")
    }
  }

  static func isCurrent(_ users: [UserRecord], of pod: PodName) -> Bool {
    readSmallFile(path(of: pod), limit: 1 << 20) == text(users)
  }

  static func forget(_ pod: PodName) {
    unlink(path(of: pod))
  }
}
