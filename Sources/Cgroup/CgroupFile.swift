internal import CLinux
internal import Glibc

/// One file of a cgroup, kept open: to be watched (`cgroup.events` and `memory.events` raise EPOLLPRI when they change), or
/// read while the cgroup is being removed. Whoever opens a file then waits for the rmdir; this answers at once.
public struct CgroupFile: ~Copyable {
  /// It belongs to the file, and is closed with it. Reading the file takes the notification away that this descriptor
  /// has for its watcher (facts 20).
  public let descriptor: CInt
  private let path: String

  init(owning descriptor: CInt, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit {
    close(descriptor)
  }

  /// Gives the content to `body`, as far as it fits into 512 bytes. Throws `.gone` with the cgroup.
  public borrowing func read<Value>(
    _ body: (UnsafeRawBufferPointer) -> Value
  ) throws(CgroupError) -> Value {
    let file = descriptor
    var failure: CInt = 0
    let value = withUnsafeTemporaryAllocation(byteCount: 512, alignment: 1) { buffer -> Value? in
      let got = pread(file, buffer.baseAddress, buffer.count, 0)
      guard got >= 0 else {
        failure = errno
        return nil
      }
      return body(UnsafeRawBufferPointer(rebasing: buffer[..<got]))
    }
    // ENODEV is what kernfs says once the directory has been removed.
    guard let value else { throw failure == ENODEV ? .gone(path: path) : .io(path: path, errno: failure) }
    return value
  }
}
