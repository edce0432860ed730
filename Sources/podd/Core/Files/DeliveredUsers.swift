import Glibc
import PodModel
import PodStore
import Systemd

/// Of which users a running pod's program has been told, kept beside its users file. When podd dies between
/// placing a user and telling the pod, the next podd sees it here and makes up for it; when nothing is
/// missing, it leaves the pod alone.
enum DeliveredUsers {
  private static func path(of pod: PodName) -> String { UsersFile.directory(of: pod) + "/told" }

  /// An epoch rises with every change of a placement, so names and epochs stand for all that is told.
  private static func text(_ users: [UserRecord]) -> String {
    users.filter { $0.status == .active }.map { "\($0.name) \($0.epoch)\n" }.sorted().joined()
  }

  static func record(_ users: [UserRecord], of pod: PodName) {
    do throws(Errno) {
      try Files.replace(path(of: pod), with: text(users), mode: 0o600)
    } catch {
      Log.debug("\(pod): \(error); it will be told of its users once more after a restart of podd")
    }
  }

  static func isCurrent(_ users: [UserRecord], of pod: PodName) -> Bool {
    readSmallFile(path(of: pod), limit: 1 << 20) == text(users)
  }

  static func forget(_ pod: PodName) {
    unlink(path(of: pod))
  }
}
