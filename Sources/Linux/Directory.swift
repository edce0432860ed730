internal import CLinux
internal import Glibc

/// The names in a directory, read one by one.
public struct Directory: ~Copyable {
  /// One name, and what the directory itself says of it.
  struct Entry {
    let name: FileName
    let isDirectory: Bool
    /// Some file systems do not say it here; stat(2) does.
    let kindIsUnknown: Bool
    /// Where the listing goes on after this entry, also in another ``Directory`` of the same directory.
    let next: Int
  }

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

  /// Opens a directory in another one; a symbolic link is not followed. `.` opens the other one again, with a
  /// listing of its own.
  init(_ name: FileName, in directory: CInt) throws(Errno) {
    let raw = linux_openat(directory, name.bytes, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)
    guard raw >= 0 else { throw Errno.last("open a directory") }
    try self.init(owning: FileDescriptor(owning: raw), "a directory")
  }

  deinit {
    closedir(stream)
  }

  /// The directory's descriptor, for the …at calls; it is closed with the directory.
  public var descriptor: CInt { dirfd(stream) }

  /// The next name, in no order and without `.` and `..`; nil at the end. An error of the disk is an error,
  /// and not the end.
  public borrowing func next() throws(Errno) -> FileName? { try nextEntry()?.name }

  borrowing func nextEntry() throws(Errno) -> Entry? {
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        // A directory that was removed meanwhile has no more entries.
        if errno == 0 || errno == ENOENT { return nil }
        throw Errno.last("list a directory")
      }
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { FileName(copying: $0) }
      }
      if name == Self.this || name == Self.above { continue }
      let type = Int(entry.pointee.d_type)
      return Entry(
        name: name, isDirectory: type == Int(DT_DIR), kindIsUnknown: type == Int(DT_UNKNOWN),
        next: Int(entry.pointee.d_off))
    }
  }

  /// Goes on where an ``Entry`` of an earlier listing says.
  borrowing func seek(to position: Int) { seekdir(stream, position) }

  static let this = FileName(".")
  static let above = FileName("..")
}
