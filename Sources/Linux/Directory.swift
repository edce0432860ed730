internal import CLinux
internal import Glibc

/// The names in a directory, read one by one.
public struct Directory: ~Copyable {
  private let stream: OpaquePointer

  public init(_ path: String) throws(Errno) {
    try self.init(owning: FileDescriptor.open(path, O_RDONLY | O_DIRECTORY), path)
  }

  /// Takes over a descriptor that was opened for reading.
  /// - Parameter path: the directory's name in an error.
  public init(owning descriptor: consuming FileDescriptor, _ path: String) throws(Errno) {
    let raw = descriptor.release()
    guard let stream = fdopendir(raw) else {
      let error = Errno.last("open \(path)")
      close(raw)
      throw error
    }
    self.stream = stream
  }

  deinit {
    closedir(stream)
  }

  /// The directory's descriptor, for the …at calls; it is closed with the directory.
  public var descriptor: CInt { dirfd(stream) }

  /// The next name, in no order and without `.` and `..`; nil at the end.
  public borrowing func next() -> String? {
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != "." && name != ".." { return name }
    }
    return nil
  }
}
