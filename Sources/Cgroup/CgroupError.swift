internal import Glibc

/// A cgroup file that could not be read or did not say what it should.
public enum CgroupError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The cgroup is gone; it may vanish between any two reads.
  case gone(path: String)
  case io(path: String, errno: Int32)
  /// `line` is the offending line, cut to a printable length.
  case malformed(path: String, line: String)

  public var description: String {
    switch self {
    case .gone(let path): "\(path): the cgroup is gone"
    case .io(let path, let errno): "\(path): \(String(cString: strerror(errno)))"
    case .malformed(let path, let line): "\(path): cannot read \"\(line)\""
    }
  }
}
