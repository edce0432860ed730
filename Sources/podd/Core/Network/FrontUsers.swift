import Glibc
import Linux
import PodModel
import Systemd

/// `FrontUsers=` of podd.conf: who may connect to pods.
enum FrontUsers {
  /// The uids of users that are given by name or uid; nil for nil. A name that the host does not know is left out, so it
  /// admits nobody. A name service may take its time, so it is asked off the loop.
  @LoopActor
  static func uids(_ users: [String]?) async -> [UInt32]? {
    guard let users else { return nil }
    var found: [UInt32] = []
    for user in users {
      if let uid = UInt32(user) {
        found.append(uid)
        continue
      }
      let uid = (try? await BackgroundThread.run { () throws(Errno) -> UInt32? in Self.uid(of: user) }) ?? nil
      if let uid {
        found.append(uid)
      } else {
        Log.error("FrontUsers= of podd.conf names \(user), which is no user of this host, and is ignored.")
      }
    }
    return found
  }

  /// Blocks for as long as a name service takes.
  nonisolated static func uid(of name: String) -> UInt32? {
    var entry = passwd()
    var result: UnsafeMutablePointer<passwd>?
    var buffer = [CChar](repeating: 0, count: 16_384)
    let failure = getpwnam_r(name, &entry, &buffer, buffer.count, &result)
    return failure == 0 && result != nil ? entry.pw_uid : nil
  }
}
