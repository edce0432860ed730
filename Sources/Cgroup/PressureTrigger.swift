internal import CLinux
internal import Glibc
internal import Linux
public import Time

/// A watch that the kernel keeps on a pressure file: its descriptor raises EPOLLPRI when tasks stalled for
/// `stall` within `window`, at most once a window (kernel, psi.rst). One trigger a descriptor.
///
/// When the opener has CAP_SYS_RESOURCE, a real-time kernel thread per cgroup, `psimon`, serves the trigger.
/// Otherwise the window is a multiple of two seconds, and the periodic work that computes the averages serves
/// it: no thread (docs/decisions/0015-pressure-without-threads.md).
public struct PressureTrigger: ~Copyable {
  /// `some`: at least one task stalled; `full`: all that had something to do did.
  public enum Kind: String, Sendable {
    case some, full
  }

  /// The file's content at an event that the totals bear out.
  public struct Reading: Equatable, Sendable {
    public var some: CgroupFiles.Pressure
    /// Nil where the kernel has none.
    public var full: CgroupFiles.Pressure?
    /// By how much the trigger's own total rose since it was armed or since the last such event.
    public var rose: Microseconds
  }

  public let kind: Kind
  public let stall: Microseconds
  public let window: Microseconds
  private let file: FileDescriptor
  private let path: String
  private var total = Microseconds.zero

  /// The descriptor to watch for EPOLLPRI. It belongs to the trigger, and is closed with it.
  public var descriptor: CInt { file.raw }

  /// Arms a trigger on a cgroup's `memory.pressure`.
  ///
  /// Throws `.gone` with the cgroup, and `.io`: `EPERM` where this kernel arms none without the privilege,
  /// `EINVAL` for figures outside its bounds, `ENOENT` or `EOPNOTSUPP` where it keeps no pressure.
  /// - Parameters:
  ///   - stall: at most `window`.
  ///   - window: 500 ms to 10 s; without a thread a multiple of 2 s.
  ///   - mayCostThread: Whether a `psimon` thread is acceptable.
  public init(
    _ kind: Kind, stall: Microseconds, window: Microseconds, in cgroup: borrowing Cgroup,
    mayCostThread: Bool = false
  ) throws(CgroupError) {
    let file = try cgroup.openForTrigger(InterfaceFile.memoryPressure, asOrdinaryUser: !mayCostThread)
    try self.init(kind, stall, window, file, path: "\(cgroup.path)/\(InterfaceFile.memoryPressure)")
  }

  /// The same on the host's own file, `/proc/pressure/memory`, which never goes.
  public init(
    _ kind: Kind, stall: Microseconds, window: Microseconds, host path: String, mayCostThread: Bool = false
  ) throws(CgroupError) {
    let file: FileDescriptor
    do throws(Errno) {
      file = try Self.open(path, at: AT_FDCWD, asOrdinaryUser: !mayCostThread)
    } catch {
      throw .io(path: path, errno: error.code)
    }
    try self.init(kind, stall, window, file, path: path)
  }

  private init(
    _ kind: Kind, _ stall: Microseconds, _ window: Microseconds, _ file: consuming FileDescriptor,
    path: String
  ) throws(CgroupError) {
    self.kind = kind
    self.stall = stall
    self.window = window
    self.path = path
    self.file = file
    // Read before arming, because an event may claim only what the total rises by from now on (facts 19).
    total = Self.total(kind, try readTotals())
    do throws(Errno) {
      try self.file.writeAll(Array("\(kind.rawValue) \(stall.count) \(window.count)\0".utf8))
    } catch {
      throw failure(error.code)
    }
  }

  /// To be called on every event. Nil: the totals do not bear the event out, since a trigger may fire falsely
  /// once after arming (facts 19). Throws `.gone` when the cgroup was removed; the descriptor then reports an
  /// error for ever, so the caller must drop the trigger.
  public mutating func read() throws(CgroupError) -> Reading? {
    let (some, full) = try readTotals()
    let now = Self.total(kind, (some, full))
    let rose = now - total
    guard rose >= stall else { return nil }
    total = now
    return Reading(some: some, full: full, rose: rose)
  }

  private static func total(
    _ kind: Kind, _ found: (some: CgroupFiles.Pressure, full: CgroupFiles.Pressure?)
  ) -> Microseconds {
    switch kind {
    case .some: found.some.total
    case .full: found.full?.total ?? .zero
    }
  }

  private func readTotals() throws(CgroupError) -> (some: CgroupFiles.Pressure, full: CgroupFiles.Pressure?) {
    let raw = file.raw
    var got = 0
    let text = withUnsafeTemporaryAllocation(byteCount: 512, alignment: 1) { buffer in
      got = pread(raw, buffer.baseAddress, buffer.count, 0)
      return String(decoding: buffer.prefix(max(0, got)), as: UTF8.self)
    }
    guard got >= 0 else { throw failure(errno) }
    return try CgroupFiles.pressure(text, path: path)
  }

  private func failure(_ code: Int32) -> CgroupError {
    code == ENODEV ? .gone(path: path) : .io(path: path, errno: code)
  }

  static func open(_ path: String, at directory: CInt, asOrdinaryUser: Bool) throws(Errno) -> FileDescriptor {
    let flags = O_RDWR | O_NONBLOCK | O_CLOEXEC
    let file =
      asOrdinaryUser
      ? linux_openat_without_sys_resource(directory, path, flags) : linux_openat(directory, path, flags, 0)
    guard file >= 0 else { throw asOrdinaryUser ? Errno(file) : Errno.last() }
    return FileDescriptor(owning: file)
  }
}
