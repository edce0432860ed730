import Glibc
import Linux

/// pod-launch, as it was when podd started. An upgrade replaces the file some time before it restarts podd, and the new
/// program may expect another plan than this podd sends: so podd executes the file that it opened.
final class LaunchProgram: Sendable {
  static let installed = LaunchProgram("/usr/lib/podctl/pod-launch")

  private let path: String
  /// -1 if it was not there.
  private let file: CInt

  init(_ path: String) {
    self.path = path
    file = (try? FileDescriptor.open(path, O_RDONLY).release()) ?? -1
  }

  deinit { if file >= 0 { close(file) } }

  /// A descriptor of it, for the child.
  ///
  /// - Throws: that it is not there any more: the package is not installed whole.
  func descriptor() throws(Errno) -> CInt {
    guard access(path, X_OK) == 0 else { throw Errno.last(path) }
    guard file >= 0 else { throw Errno(ENOENT, path) }
    return file
  }
}
