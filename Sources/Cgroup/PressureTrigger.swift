internal import CLinux
internal import Glibc

/// A watch that the kernel keeps on a pressure file: its descriptor raises EPOLLPRI when tasks stalled for
/// `stallUSec` within `windowUSec`, at most once a window (kernel, psi.rst). One trigger a descriptor.
///
/// A trigger of an opener with CAP_SYS_RESOURCE is served by a real-time kernel thread per cgroup, `psimon`.
/// Without it the window is a multiple of two seconds, and the averages' own work looks after it: no thread
/// (docs/decisions/0015-pressure-without-threads.md).
public struct PressureTrigger: ~Copyable {
  /// `some`: at least one task stalled; `full`: all that had something to do did.
  public enum Kind: String, Sendable {
    case some, full
  }

  /// What was read when an event was believed.
  public struct Reading: Equatable, Sendable {
    public var some: CgroupFiles.Pressure
    /// Nil where the kernel has none.
    public var full: CgroupFiles.Pressure?
    /// By how much the trigger's own total rose since it was armed or last believed; microseconds.
    public var rose: UInt64
  }

  public let kind: Kind
  public let stallUSec: UInt64
  public let windowUSec: UInt64
  /// To be watched for EPOLLPRI. It belongs to the trigger, and is closed with it.
  public let descriptor: CInt
  private let path: String
  private var total: UInt64 = 0

  /// Arms a trigger on a cgroup's `memory.pressure`.
  ///
  /// Throws `.gone` with the cgroup, and `.io`: `EPERM` where this kernel arms none without the privilege, `EINVAL`
  /// for figures outside its bounds, `ENOENT` or `EOPNOTSUPP` where it keeps no pressure.
  /// - Parameters:
  ///   - stallUSec: Microseconds, at most `windowUSec`.
  ///   - windowUSec: 500 ms to 10 s; without a thread a multiple of 2 s.
  ///   - mayCostThread: Whether a `psimon` thread is acceptable.
  public init(
    _ kind: Kind, stallUSec: UInt64, windowUSec: UInt64, in cgroup: borrowing Cgroup,
    mayCostThread: Bool = false
  ) throws(CgroupError) {
    let file = try cgroup.openForTrigger("memory.pressure", asOrdinaryUser: !mayCostThread)
    try self.init(kind, stallUSec, windowUSec, file, path: cgroup.path + "/memory.pressure")
  }

  /// The same on the host's own file, `/proc/pressure/memory`, which never goes.
  public init(
    _ kind: Kind, stallUSec: UInt64, windowUSec: UInt64, host path: String, mayCostThread: Bool = false
  ) throws(CgroupError) {
    let file = Self.open(path, at: AT_FDCWD, asOrdinaryUser: !mayCostThread)
    guard file >= 0 else { throw .io(path: path, errno: -file) }
    try self.init(kind, stallUSec, windowUSec, file, path: path)
  }

  private init(
    _ kind: Kind, _ stallUSec: UInt64, _ windowUSec: UInt64, _ file: CInt, path: String
  ) throws(CgroupError) {
    self.kind = kind
    self.stallUSec = stallUSec
    self.windowUSec = windowUSec
    self.path = path
    descriptor = file
    // Read before arming: what rises from here on is what an event may claim (facts 19).
    total = Self.own(kind, try read())
    let text = Array("\(kind.rawValue) \(stallUSec) \(windowUSec)\0".utf8)
    let done = text.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
    guard done == text.count else { throw failure() }
  }

  deinit {
    close(descriptor)
  }

  /// To be called on every event. Nil for one that the totals do not bear out: a trigger may fire once falsely
  /// after arming (facts 19). Throws `.gone` when the cgroup was removed: its descriptor then reports an error for
  /// ever, so the trigger must be let go of.
  public mutating func look() throws(CgroupError) -> Reading? {
    let (some, full) = try read()
    let now = Self.own(kind, (some, full))
    let rose = now - min(total, now)
    guard rose >= stallUSec else { return nil }
    total = now
    return Reading(some: some, full: full, rose: rose)
  }

  private static func own(
    _ kind: Kind, _ found: (some: CgroupFiles.Pressure, full: CgroupFiles.Pressure?)
  ) -> UInt64 {
    switch kind {
    case .some: found.some.total
    case .full: found.full?.total ?? 0
    }
  }

  private func read() throws(CgroupError) -> (some: CgroupFiles.Pressure, full: CgroupFiles.Pressure?) {
    var got = 0
    let text = withUnsafeTemporaryAllocation(byteCount: 512, alignment: 1) { buffer in
      got = pread(descriptor, buffer.baseAddress, buffer.count, 0)
      return String(decoding: buffer.prefix(max(0, got)), as: UTF8.self)
    }
    guard got >= 0 else { throw failure() }
    return try CgroupFiles.pressure(text, path: path)
  }

  private func failure() -> CgroupError {
    errno == ENODEV ? .gone(path: path) : .io(path: path, errno: errno)
  }

  /// A descriptor, or -errno.
  static func open(_ path: String, at directory: CInt, asOrdinaryUser: Bool) -> CInt {
    let flags = O_RDWR | O_NONBLOCK | O_CLOEXEC
    if asOrdinaryUser { return linux_openat_without_sys_resource(directory, path, flags) }
    let file = linux_openat(directory, path, flags, 0)
    return file < 0 ? -errno : file
  }
}
