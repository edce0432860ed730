import Glibc
import Linux

/// `/var/lib/podctl`, which an admin may have moved to another disk: a mount point, or a symbolic link to a directory
/// that is root's alone. Every path below it leads through the link.
enum StateDirectory {
  static let path = "/var/lib/podctl"

  /// Makes it, or sets its mode right.
  ///
  /// - Throws: what is wrong with the link, where there is one.
  static func ensure(_ path: String = path) throws(Errno) {
    guard let target = Files.linkTarget(path) else { return try Files.makeDirectory(path, mode: 0o700) }
    guard let directory = Files.resolved(path) else {
      throw Errno(
        ENOENT,
        "\(path) is a symbolic link to \(target), which is not there: mount its disk, or correct the link")
    }
    var status = stat()
    guard stat(directory, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw Errno(
        ENOTDIR, "\(path) is a symbolic link to \(target), which is not a directory: correct the link")
    }
    // The database would be somebody else's.
    guard status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else {
      throw Errno(
        EPERM,
        "\(path) is a symbolic link to \(directory), which others than root can change: "
          + "chown root:root \(directory) && chmod 700 \(directory)")
    }
    try Files.makeDirectory(directory, mode: 0o700)
  }
}
