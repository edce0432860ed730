internal import CLinux
internal import Glibc

/// An open file descriptor, closed when its owner goes out of scope.
public struct FileDescriptor: ~Copyable {
  public let raw: CInt

  /// Takes ownership of a descriptor that nobody else closes.
  public init(owning raw: CInt) {
    self.raw = raw
  }

  deinit {
    close(raw)
  }

  /// Gives the number away: the caller closes it now.
  public consuming func release() -> CInt {
    let raw = raw
    discard self
    return raw
  }

  /// Whether a read, or for a listening socket an accept, would not wait; of a pidfd, whether its process has
  /// ended.
  public static func isReadable(_ raw: CInt) -> Bool {
    var entry = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, 0) == 1
  }

  /// A second descriptor for the same open file, close-on-exec.
  public borrowing func duplicate() throws(Errno) -> FileDescriptor {
    try Self.duplicate(raw, atLeast: 3)
  }

  /// A second descriptor for the same open file, close-on-exec, whose number is at least `atLeast`.
  public static func duplicate(_ raw: CInt, atLeast: CInt) throws(Errno) -> FileDescriptor {
    let copy = fcntl(raw, F_DUPFD_CLOEXEC, atLeast)
    guard copy >= 0 else { throw Errno.last("duplicate descriptor") }
    return FileDescriptor(owning: copy)
  }

  /// Opens a path; always close-on-exec.
  public static func open(_ path: String, _ flags: Int32, mode: UInt32 = 0) throws(Errno) -> FileDescriptor {
    let raw = try retrying("open \(path)") { linux_open(path, flags | O_CLOEXEC, mode) }
    return FileDescriptor(owning: raw)
  }

  /// Opens a path below a directory that is open already; always close-on-exec.
  public static func open(
    _ path: String, at directory: borrowing FileDescriptor, _ flags: Int32, mode: UInt32 = 0
  ) throws(Errno) -> FileDescriptor {
    let base = directory.raw
    let raw = try retrying("open \(path)") { linux_openat(base, path, flags | O_CLOEXEC, mode) }
    return FileDescriptor(owning: raw)
  }

  /// Reads until the end or `limit` bytes, whichever comes first.
  public borrowing func readAll(limit: Int) throws(Errno) -> [UInt8] {
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while content.count < limit {
      let got = chunk.withUnsafeMutableBytes {
        read(raw, $0.baseAddress, min($0.count, limit - content.count))
      }
      if got < 0 {
        if errno == EINTR { continue }
        throw Errno.last("read")
      }
      if got == 0 { break }
      content.append(contentsOf: chunk[0..<got])
    }
    return content
  }

  /// Writes all of it or throws.
  public borrowing func writeAll(_ bytes: [UInt8]) throws(Errno) {
    var offset = 0
    while offset < bytes.count {
      let done = bytes.withUnsafeBytes { write(raw, $0.baseAddress.map { $0 + offset }, $0.count - offset) }
      if done < 0 {
        if errno == EINTR { continue }
        throw Errno.last("write")
      }
      offset += done
    }
  }
}

/// A pipe whose ends are close-on-exec.
@frozen public struct Pipe: ~Copyable {
  public var reader: FileDescriptor
  public var writer: FileDescriptor

  /// pipe2(2) is hidden by Swift's Glibc. A child that starts before the flags are set inherits no copy,
  /// because ``ChildProcess`` gives it exactly the descriptors that it is to have.
  public init() throws(Errno) {
    var ends: [CInt] = [-1, -1]
    guard pipe(&ends) == 0 else { throw Errno.last("pipe") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    reader = FileDescriptor(owning: ends[0])
    writer = FileDescriptor(owning: ends[1])
  }
}

/// A small file as text; nil when it is not there (a pid or a cgroup may vanish at any moment).
public func readSmallFile(_ path: String, limit: Int = 65_536) -> String? {
  guard let file = try? FileDescriptor.open(path, O_RDONLY), let bytes = try? file.readAll(limit: limit)
  else { return nil }
  return String(decoding: bytes, as: UTF8.self)
}
