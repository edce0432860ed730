import Glibc
import Testing

/// A directory of its own for one test, gone with it.
final class Scratch: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/systemd-test-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
    }
    path = try #require(made)
  }

  deinit {
    for name in ["bus", "bus.conf", "socket", "notify", "file"] { unlink("\(path)/\(name)") }
    rmdir(path)
  }
}

/// Two connected ends, close-on-exec from the first moment: other tests start processes meanwhile.
func openPair(_ ends: inout [CInt]) -> Bool {
  socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0, &ends) == 0
}
