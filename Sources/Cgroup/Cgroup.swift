internal import CLinux
internal import Glibc

/// One cgroup directory, held open: a path that is removed and made again is then another cgroup.
///
/// The root is a parameter so that every rule can be tested on a directory of plain files.
public struct Cgroup: ~Copyable {
  private let directory: CInt
  /// The cgroup's path below the root, e.g. `/pods.slice/pods-free.slice/pod-001-1.scope`.
  public let path: String

  /// Opens `root + path`. Throws `.gone` when there is no such cgroup.
  public init(path: String, root: String = "/sys/fs/cgroup") throws(CgroupError) {
    let full = root + path
    let raw = linux_open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    guard raw >= 0 else {
      throw errno == ENOENT ? .gone(path: path) : .io(path: full, errno: errno)
    }
    directory = raw
    self.path = path
  }

  deinit {
    close(directory)
  }

  /// A file's content. Cgroup files are small; what is larger than 64 kB is cut.
  public borrowing func read(_ name: String) throws(CgroupError) -> String {
    let file = linux_openat(directory, name, O_RDONLY | O_CLOEXEC, 0)
    guard file >= 0 else { throw failure(name) }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: 4096)
    var used = 0
    while true {
      let got = buffer.withUnsafeMutableBytes { bytes in
        Glibc.read(file, bytes.baseAddress.map { $0 + used }, bytes.count - used)
      }
      if got < 0 {
        if errno == EINTR { continue }
        throw failure(name)
      }
      if got == 0 { break }
      used += got
      if used == buffer.count {
        if used >= 65_536 { break }
        buffer.append(contentsOf: repeatElement(0, count: buffer.count))
      }
    }
    return String(decoding: buffer[0..<used], as: UTF8.self)
  }

  /// Reads a file's beginning into a caller's buffer; returns the number of bytes.
  public borrowing func read(
    _ name: String, into buffer: UnsafeMutableRawBufferPointer
  ) throws(CgroupError) -> Int {
    let file = linux_openat(directory, name, O_RDONLY | O_CLOEXEC, 0)
    guard file >= 0 else { throw failure(name) }
    defer { close(file) }
    while true {
      let got = Glibc.read(file, buffer.baseAddress, buffer.count)
      if got >= 0 { return got }
      if errno != EINTR { throw failure(name) }
    }
  }

  /// Writes a control file such as `cgroup.kill`, `cgroup.freeze` or `memory.reclaim`.
  public borrowing func write(_ name: String, _ value: String) throws(CgroupError) {
    let file = linux_openat(directory, name, O_WRONLY | O_CLOEXEC, 0)
    guard file >= 0 else { throw failure(name) }
    defer { close(file) }
    let bytes = Array(value.utf8)
    let done = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
    guard done == bytes.count else { throw failure(name) }
  }

  /// Opens a file that stays open.
  public borrowing func open(_ name: String) throws(CgroupError) -> CgroupFile {
    let file = linux_openat(directory, name, O_RDONLY | O_CLOEXEC, 0)
    guard file >= 0 else { throw failure(name) }
    return CgroupFile(owning: file, path: "\(path)/\(name)")
  }

  /// The path of the cgroup that the one at `path` is in.
  public static func parent(of path: String) -> String {
    "/" + path.split(separator: "/").dropLast().joined(separator: "/")
  }

  /// Opens a pressure file for a trigger.
  /// - Parameter asOrdinaryUser: Without CAP_SYS_RESOURCE; see ``PressureTrigger``.
  borrowing func openForTrigger(_ name: String, asOrdinaryUser: Bool) throws(CgroupError) -> CInt {
    let file = PressureTrigger.open(name, at: directory, asOrdinaryUser: asOrdinaryUser)
    guard file >= 0 else {
      errno = -file
      throw failure(name)
    }
    return file
  }

  /// Whether any process lives in it or below. A cgroup that is gone has none.
  public borrowing func isPopulated() throws(CgroupError) -> Bool {
    do throws(CgroupError) {
      let text = try read("cgroup.events")
      guard let value = CgroupFiles.value(of: "populated", in: text) else {
        throw .malformed(path: path + "/cgroup.events", line: "populated missing")
      }
      return value != 0
    } catch .gone {
      return false
    }
  }

  /// Every process in this cgroup itself. The kernel prints 0 for one of another PID namespace, and a zero
  /// that is passed on to systemd would mean the caller (facts 2): left out.
  public borrowing func processes() throws(CgroupError) -> [Int32] {
    try read("cgroup.procs").split(separator: "\n").compactMap { Int32($0) }.filter { $0 > 0 }
  }

  /// A number that somebody attached to the cgroup itself, as systemd-oomd does; nil when it is not there. It can
  /// still be read when the cgroup has been removed.
  public borrowing func attribute(_ name: String) -> UInt64? {
    withUnsafeTemporaryAllocation(byteCount: 32, alignment: 1) { buffer in
      let got = linux_fgetxattr(directory, name, buffer.baseAddress, buffer.count)
      return got > 0 ? UInt64(String(decoding: buffer.prefix(got), as: UTF8.self)) : nil
    }
  }

  private borrowing func failure(_ name: String) -> CgroupError {
    // ENODEV is what kernfs says once the directory has been removed.
    switch errno {
    case ENOENT, ENODEV: .gone(path: path)
    default: .io(path: "\(path)/\(name)", errno: errno)
    }
  }
}
