import Glibc
import PodModel
import Systemd

/// Makes a pod's uid resolve by name, so that `ps` shows `pod-001`: JSON user records in /run/userdb, which
/// libnss-systemd reads (facts 14a).
enum UserRecords {
  static let directory = "/run/userdb"

  static func publish(_ pod: PodName, uid: UInt32) throws(Errno) {
    try Files.makeDirectory(directory, mode: 0o755)
    for (kind, record) in [
      ("user", UserDatabaseRecord.user(name: pod.description, uid: uid)),
      ("group", UserDatabaseRecord.group(name: pod.description, gid: uid)),
    ] {
      let path = "\(directory)/\(pod).\(kind)"
      if readSmallFile(path) != record { try Files.replace(path, with: record, mode: 0o644) }
      let link = "\(directory)/\(uid).\(kind)"
      if Files.linkTarget(link) != "\(pod).\(kind)" { try Files.link(link, to: "\(pod).\(kind)") }
    }
  }

  static func withdraw(_ pod: PodName, uid: UInt32) {
    for kind in ["user", "group"] {
      unlink("\(directory)/\(pod).\(kind)")
      unlink("\(directory)/\(uid).\(kind)")
    }
  }
}
