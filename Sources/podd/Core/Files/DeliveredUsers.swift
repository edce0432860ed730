import Glibc
import PodModel
import PodStore
import Systemd

/// The users that all programs of a running pod know, kept in a file next to its users file. When podd ends between a
/// change of the users and its notification, the next podd finds the difference here and notifies the programs; otherwise
/// it leaves them alone. While a program may know others, there is no such file.
struct DeliveredUsers {
  private let path: String
  /// What the users file has, until everybody knows it.
  private let preparedPath: String

  init(directory: String) {
    path = directory + "/told"
    preparedPath = path + ".next"
  }

  init(of pod: PodName) { self.init(directory: UsersFile.directory(of: pod)) }

  /// An epoch rises with every change of a placement, so names and epochs identify the content of the users
  /// file.
  private static func text(_ users: [UserRecord]) -> String {
    users.filter { $0.status == .active }.map { "\($0.name) \($0.epoch)\n" }.sorted().joined()
  }

  /// Before the users file is replaced: from then on a program may know these users.
  func prepare(_ users: [UserRecord]) {
    unlink(preparedPath)
    if isCurrent(users) { return }
    unlink(path)
    do throws(Errno) {
      try Files.replace(preparedPath, with: Self.text(users), mode: 0o600)
    } catch {
      Log.debug("\(path): \(error); after a restart of podd its pod will be notified of its users once more")
    }
  }

  /// Everybody knows what was prepared last. Nothing was, when it was on record already.
  func record() { rename(preparedPath, path) }

  func isCurrent(_ users: [UserRecord]) -> Bool {
    readSmallFile(path, limit: 1 << 20) == Self.text(users)
  }

  func forget() {
    unlink(path)
    unlink(preparedPath)
  }
}
