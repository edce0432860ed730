internal import CLinux
internal import Glibc
internal import Linux

/// One cgroup directory, held open, because a path that is removed and made again is another cgroup.
///
/// The root is a parameter so that tests can use a directory of plain files.
public struct Cgroup: ~Copyable {
  private let directory: FileDescriptor
  /// The cgroup's path below the root, e.g. `/pods.slice/pods-free.slice/pod-001-1.scope`.
  public let path: String
  /// The descriptor of its directory.
  var descriptor: CInt { borrowing get { directory.raw } }

  /// Opens `root + path`. Throws `.gone` when there is no such cgroup.
  public init(path: String, root: String = "/sys/fs/cgroup") throws(CgroupError) {
    do throws(Errno) {
      directory = try FileDescriptor.open(root + path, O_RDONLY | O_DIRECTORY)
    } catch {
      throw error.code == ENOENT ? .gone(path: path) : .io(path: root + path, errno: error.code)
    }
    self.path = path
  }

  /// A file's content, or the whole lines in its first `limit` bytes: half a line would be another number.
  public borrowing func read(_ name: String, limit: Int = 65_536) throws(CgroupError) -> String {
    let file = try openFile(name, O_RDONLY)
    do throws(Errno) {
      var bytes = try file.readAll(limit: limit)[...]
      if bytes.count == limit { bytes = bytes.prefix((bytes.lastIndex(of: 0x0A) ?? -1) + 1) }
      return String(decoding: bytes, as: UTF8.self)
    } catch {
      throw failure(name, error)
    }
  }

  /// Reads a file's beginning into a caller's buffer; returns the number of bytes.
  public borrowing func read(
    _ name: String, into buffer: UnsafeMutableRawBufferPointer
  ) throws(CgroupError) -> Int {
    let file = try openFile(name, O_RDONLY)
    while true {
      let got = Glibc.read(file.raw, buffer.baseAddress, buffer.count)
      if got >= 0 { return got }
      if errno != EINTR { throw failure(name, Errno.last()) }
    }
  }

  /// Writes a control file such as ``InterfaceFile/kill`` or ``InterfaceFile/freeze``.
  public borrowing func write(_ name: String, _ value: String) throws(CgroupError) {
    let file = try openFile(name, O_WRONLY)
    do throws(Errno) {
      try file.writeAll(Array(value.utf8))
    } catch {
      throw failure(name, error)
    }
  }

  /// Asks the kernel to reclaim up to that many bytes; the least used pages go first. Blocks for seconds
  /// where there is swap, or a slow disk. By path, so that a thread can call it that does not own the cgroup.
  /// Throws EAGAIN when less could be reclaimed.
  public static func reclaim(
    _ bytes: UInt64, path: String, root: String = "/sys/fs/cgroup"
  ) throws(CgroupError) {
    try Cgroup(path: path, root: root).write(InterfaceFile.memoryReclaim, String(bytes))
  }

  /// Opens a file that stays open.
  public borrowing func open(_ name: String) throws(CgroupError) -> CgroupFile {
    CgroupFile(try openFile(name, O_RDONLY), path: "\(path)/\(name)")
  }

  /// The path of the cgroup that the one at `path` is in.
  public static func parent(of path: String) -> String {
    "/" + path.split(separator: "/").dropLast().joined(separator: "/")
  }

  /// Opens a pressure file for a trigger.
  /// - Parameter asOrdinaryUser: Without CAP_SYS_RESOURCE; see ``PressureTrigger``.
  borrowing func openForTrigger(
    _ name: String, asOrdinaryUser: Bool
  ) throws(CgroupError) -> FileDescriptor {
    do throws(Errno) {
      return try PressureTrigger.open(name, at: directory.raw, asOrdinaryUser: asOrdinaryUser)
    } catch {
      throw failure(name, error)
    }
  }

  /// Whether any process lives in it or below. A cgroup that is gone has no processes.
  public borrowing func isPopulated() throws(CgroupError) -> Bool {
    do throws(CgroupError) {
      let text = try read(InterfaceFile.events)
      guard let value = CgroupFiles.value(of: "populated", in: text) else {
        throw .malformed(path: "\(path)/\(InterfaceFile.events)", line: "populated missing")
      }
      return value != 0
    } catch .gone {
      return false
    }
  }

  /// Every process in this cgroup itself. The kernel prints 0 for a process of another PID namespace. Zeros
  /// are left out, because systemd takes PID 0 for the caller (facts 2).
  public borrowing func processes() throws(CgroupError) -> [Int32] {
    // A tier may have TasksMax=infinity; the kernel has at most 4 million processes.
    try read(InterfaceFile.processes, limit: 32 << 20).split(separator: "\n").compactMap { Int32($0) }.filter
    { $0 > 0 }
  }

  /// A number in an extended attribute of the cgroup, such as systemd-oomd sets; nil when there is none. It
  /// can still be read after the cgroup has been removed.
  public borrowing func attribute(_ name: String) -> UInt64? {
    withUnsafeTemporaryAllocation(byteCount: 32, alignment: 1) { buffer in
      let got = linux_fgetxattr(directory.raw, name, buffer.baseAddress, buffer.count)
      return got > 0 ? UInt64(String(decoding: buffer.prefix(got), as: UTF8.self)) : nil
    }
  }

  private borrowing func openFile(_ name: String, _ flags: Int32) throws(CgroupError) -> FileDescriptor {
    do throws(Errno) {
      return try FileDescriptor.open(name, at: directory, flags)
    } catch {
      throw failure(name, error)
    }
  }

  private borrowing func failure(_ name: String, _ error: Errno) -> CgroupError {
    // kernfs returns ENODEV once the directory has been removed.
    switch error.code {
    case ENOENT, ENODEV: .gone(path: path)
    default: .io(path: "\(path)/\(name)", errno: error.code)
    }
  }
}
