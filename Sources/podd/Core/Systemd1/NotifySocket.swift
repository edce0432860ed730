import CLinux
import Glibc
import PodModel
import Systemd

/// The socket on which pods report READY=1 (sd_notify(3)). The kernel reports the sender's uid, which belongs
/// to one pod only.
@LoopActor
final class NotifySocket {
  /// Pods see the directory, so that a socket that is created again after a crash is found at the same path.
  static let directory = "/run/podctl/notify"
  static let path = directory + "/socket"

  private let socket: FileDescriptor
  private var source: EventSource?

  /// `handler` is called with the sender's uid and pid and the lines of each message.
  init(_ handler: @escaping @LoopActor (uid_t, pid_t, [Substring]) -> Void) throws(Errno) {
    try Files.makeDirectory(Self.directory, mode: 0o755)
    let raw = Glibc.socket(
      AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
    guard raw >= 0 else { throw Errno.last("notify socket") }
    socket = FileDescriptor(owning: raw)
    var one: CInt = 1
    guard setsockopt(raw, SOL_SOCKET, SO_PASSCRED, &one, socklen_t(MemoryLayout<CInt>.size)) == 0 else {
      throw Errno.last("SO_PASSCRED")
    }
    unlink(Self.path)
    try Self.bindPath(raw, Self.path)
    // Every process may write; the credentials identify the sender.
    guard chmod(Self.path, 0o666) == 0 else { throw Errno.last("chmod \(Self.path)") }
    source = try EventSource.io(
      EventLoop.main, descriptor: raw, events: PollEvents.input
    ) { _ in
      LoopActor.assumeIsolated { Self.drain(raw, handler) }
    }
  }

  /// Reads a bounded number of messages at a time, because a pod's flood must not block the loop.
  private static func drain(_ raw: CInt, _ handler: @LoopActor (uid_t, pid_t, [Substring]) -> Void) {
    var buffer = [UInt8](repeating: 0, count: 4096)
    for _ in 0..<64 {
      var pid: pid_t = 0
      var uid: uid_t = 0
      let got = buffer.withUnsafeMutableBytes {
        linux_receive_with_credentials(raw, $0.baseAddress, $0.count, &pid, &uid)
      }
      guard got >= 0 else { return }
      let text = String(decoding: buffer[0..<got], as: UTF8.self)
      handler(uid, pid, text.split(separator: "\n"))
    }
  }

  private static func bindPath(_ raw: CInt, _ path: String) throws(Errno) {
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: bytes) }
    let size = socklen_t(MemoryLayout<sockaddr_un>.size)
    let bound = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(raw, $0, size) }
    }
    guard bound == 0 else { throw Errno.last("bind \(path)") }
  }
}
