internal import CLinux
internal import Glibc

/// What went wrong in a tree. One entry that cannot be removed or copied does not stop the others; the error at
/// the end names the first, says what helps, and how many more there are.
struct TreeFailures {
  private(set) var count = 0
  private var first: (code: Int32, text: String)?

  mutating func add(_ code: Int32, _ name: FileName, in directory: CInt) {
    count += 1
    if first == nil { first = (code, Self.text(code, name, in: directory)) }
  }

  /// - Parameter operation: a verb, e.g. `remove`.
  func throwAny(_ operation: String) throws(Errno) {
    guard let first else { return }
    let others = count == 1 ? "" : " and \(count - 1) more"
    throw Errno(first.code, "\(operation) \(first.text)\(others)")
  }

  private static func text(_ code: Int32, _ name: FileName, in directory: CInt) -> String {
    let path = "\(TreePlace.path(of: directory))/\(name)"
    guard let status = FileStatus(name, in: directory), let above = try? FileStatus(directory) else {
      return path
    }
    if status.mount != above.mount { return "\(path) (a file system is mounted there: unmount it)" }
    if code == EPERM && status.isFixed { return "\(path) (it is immutable: chattr -i -a)" }
    if code == EPERM && above.isFixed { return "\(path) (its directory is immutable: chattr -i -a)" }
    return path
  }
}
