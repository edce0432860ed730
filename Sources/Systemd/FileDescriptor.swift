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

  /// Whether a read, or for a listening socket an accept, would not wait; of a pidfd, whether its process has ended.
  public static func isReadable(_ raw: CInt) -> Bool {
    var entry = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, 0) == 1
  }

  /// A second descriptor for the same open file, close-on-exec.
  public borrowing func duplicate() throws(Errno) -> FileDescriptor {
    let copy = duplicateCloexec(raw)
    guard copy >= 0 else { throw Errno.last("duplicate descriptor") }
    return FileDescriptor(owning: copy)
  }

  private borrowing func duplicateCloexec(_ raw: CInt) -> CInt {
    // fcntl is variadic and imported by Glibc's overlay for Int32 arguments only.
    fcntl(raw, F_DUPFD_CLOEXEC, CInt(3))
  }

  /// Opens a path; always close-on-exec.
  public static func open(_ path: String, _ flags: Int32, mode: UInt32 = 0) throws(Errno) -> FileDescriptor {
    let raw = try retrying("open \(path)") { linux_open(path, flags | O_CLOEXEC, mode) }
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

/// A small file as text; nil when it is not there (a pid or a cgroup may vanish at any moment).
public func readSmallFile(_ path: String, limit: Int = 65_536) -> String? {
  guard let file = try? FileDescriptor.open(path, O_RDONLY), let bytes = try? file.readAll(limit: limit)
  else { return nil }
  return String(decoding: bytes, as: UTF8.self)
}
