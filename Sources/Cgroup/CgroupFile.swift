internal import Glibc
internal import Linux

/// One file of a cgroup, kept open so that it can be watched (`cgroup.events` and `memory.events` raise
/// EPOLLPRI when they change), or read while the cgroup is being removed: opening a file then waits for the
/// rmdir, reading does not.
public struct CgroupFile: ~Copyable {
  private let file: FileDescriptor
  private let path: String

  /// The descriptor to watch; it is closed with the file. Reading the file clears the notification that the
  /// descriptor holds for its watcher (facts 20).
  public var descriptor: CInt { file.raw }

  init(_ file: consuming FileDescriptor, path: String) {
    self.file = file
    self.path = path
  }

  /// Passes the first 512 bytes to `body`. Throws `.gone` when the cgroup has vanished.
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
    // kernfs returns ENODEV once the directory has been removed.
    guard let value else { throw failure == ENODEV ? .gone(path: path) : .io(path: path, errno: failure) }
    return value
  }
}
