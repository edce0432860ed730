internal import CLinux
internal import Glibc

/// Copies of the content of one file: shared blocks where the file system has them (btrfs, XFS), and holes stay
/// holes.
enum FileCopy {
  /// SEEK_DATA and SEEK_HOLE (lseek(2)), which Swift does not import.
  private static let seekData: Int32 = 3
  private static let seekHole: Int32 = 4
  private static let chunk = 1 << 30

  /// Copies the first `size` bytes into an empty file. A source that its owner changes meanwhile gives a mixed
  /// copy, and no endless one.
  /// - Returns: 0 or an errno.
  static func copy(_ source: CInt, to target: CInt, size: UInt64) -> Int32 {
    if size == 0 || linux_clone_file(source, target) == 0 { return 0 }
    guard let size = Int(exactly: size), ftruncate(target, size) == 0 else {
      return size > Int.max ? EFBIG : errno
    }
    var offset = 0
    while offset < size {
      // A file system that knows no holes calls everything data.
      let start = lseek(source, offset, seekData)
      if start < 0 { return errno == ENXIO ? 0 : errno }
      let hole = lseek(source, start, seekHole)
      // The file was made shorter meanwhile.
      if hole < 0 { return errno == ENXIO ? 0 : errno }
      let end = min(hole, size)
      let error = copyData(source, to: target, from: start, to: end)
      if error != 0 { return error }
      offset = max(end, start + 1)
    }
    return 0
  }

  private static func copyData(_ source: CInt, to target: CInt, from start: Int, to end: Int) -> Int32 {
    var offset = start
    while offset < end {
      let done = linux_copy_range(source, target, Int64(offset), min(chunk, end - offset))
      if done > 0 {
        offset += done
      } else if done == 0 {
        return 0
      } else if errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == EFBIG {
        return errno
      } else if errno != EINTR {
        // Two kinds of file systems, or one that cannot (EXDEV, EINVAL, EOPNOTSUPP).
        return copyBytes(source, to: target, from: offset, to: end)
      }
    }
    return 0
  }

  private static func copyBytes(_ source: CInt, to target: CInt, from start: Int, to end: Int) -> Int32 {
    withUnsafeTemporaryAllocation(byteCount: 1 << 18, alignment: 4096) { buffer in
      var offset = start
      while offset < end {
        let got = pread(source, buffer.baseAddress, min(buffer.count, end - offset), offset)
        if got == 0 { return 0 }
        if got < 0 {
          if errno == EINTR { continue }
          return errno
        }
        var written = 0
        while written < got {
          let done = pwrite(target, buffer.baseAddress.map { $0 + written }, got - written, offset + written)
          if done < 0 && errno != EINTR { return errno }
          written += max(0, done)
        }
        offset += got
      }
      return 0
    }
  }
}
