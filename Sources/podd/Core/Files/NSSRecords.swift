import Glibc
import PodModel
import Systemd

/// JSON user records in /run/userdb, which libnss-systemd reads (facts 14a), so that a pod's uid resolves to
/// a name and `ps` shows `pod-001`.
enum NSSRecords {
  static func publish(_ record: UserDatabaseRecord) throws(Errno) {
    let directory = UserDatabaseRecord.directory
    try Files.makeDirectory(directory, mode: 0o755)
    for (name, content) in record.files where readSmallFile("\(directory)/\(name)") != content {
      try Files.replace("\(directory)/\(name)", with: content, mode: 0o644)
    }
    for (name, target) in record.links where Files.linkTarget("\(directory)/\(name)") != target {
      try Files.link("\(directory)/\(name)", to: target)
    }
  }

  static func withdraw(_ record: UserDatabaseRecord) {
    for name in record.files.map(\.name) + record.links.map(\.name) {
      unlink("\(UserDatabaseRecord.directory)/\(name)")
    }
  }
}
