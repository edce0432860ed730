internal import Glibc

extension HostCheck {
  /// Room on the file systems to which podd writes: bytes and inodes. `podctl doctor` alone asks: podd must start also
  /// on a full disk.
  public func room() -> [Check] {
    let id = "room"
    var seen: Set<UInt64> = []
    var findings: [Finding] = []
    for path in ["/run", "/var/lib/podctl", "/var/lib/podctl/pods"] {
      var device = stat()
      var status = statvfs()
      let whole = (root == "/" ? "" : root) + path
      // What an ordinary user may not look at is left out, as what does not exist yet.
      guard stat(whole, &device) == 0, seen.insert(UInt64(device.st_dev)).inserted,
        statvfs(whole, &status) == 0
      else { continue }
      findings += Self.room(
        path, blocks: (UInt64(status.f_bavail), UInt64(status.f_blocks)), blockSize: UInt64(status.f_frsize),
        inodes: (UInt64(status.f_ffree), UInt64(status.f_files)))
    }
    let title = "room in /run and /var/lib/podctl"
    if findings.isEmpty { return [Check(id: id, title: title, finding: nil)] }
    return findings.map { Check(id: id, title: title, finding: $0) }
  }

  /// What is short on one file system. Some file systems make inodes on demand and count none.
  static func room(
    _ path: String, blocks: (free: UInt64, all: UInt64), blockSize: UInt64,
    inodes: (free: UInt64, all: UInt64)
  ) -> [Finding] {
    var findings: [Finding] = []
    func add(_ free: UInt64, _ all: UInt64, _ least: UInt64, _ what: String, _ command: String) {
      guard all > 0, free < max(all / 50, least) else { return }
      findings.append(
        Finding(
          id: "room", severity: free == 0 ? .fatal : .advice,
          what:
            "The file system of \(path) has \(free == 0 ? "no" : "few") free \(what) left (\(free) of \(all)),"
            + " and podd needs some for every launch.",
          fix: "Make room there: \(command) \(path) shows it, and podctl users the data of each user."))
    }
    add(blocks.free, blocks.all, (4 << 20) / max(blockSize, 1), "blocks", "df -h")
    add(inodes.free, inodes.all, 256, "inodes", "df -i")
    return findings
  }
}
