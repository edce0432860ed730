internal import CLinux
internal import Glibc

/// sd_listen_fds(3) and sd_notify(3) without libsystemd: what systemd, or here podd, passes to a service in
/// its environment.
public enum Activation {
  /// How many connections may wait at a socket that podserve opened.
  static let backlog = 1024

  /// The one listening socket that was passed; nil when none was.
  /// - Throws: When sockets were passed that this program cannot use.
  public static func listeningSocket() throws(StorageError) -> Int32? {
    guard environment("LISTEN_PID").flatMap({ pid_t($0) }) == getpid(), let text = environment("LISTEN_FDS")
    else { return nil }
    guard text == "1" else { throw .failed("LISTEN_FDS=\(text): exactly one listening socket is served.") }
    let first: Int32 = 3
    guard linux_is_listener(first) == 1 else {
      throw .failed("LISTEN_FDS=1: descriptor 3 is not a listening stream socket.")
    }
    _ = fcntl(first, F_SETFD, FD_CLOEXEC)
    return first
  }

  /// Binds and listens at a numeric IPv4 or IPv6 address; for use without podd.
  public static func listen(address: String, port: UInt16) throws(StorageError) -> Int32 {
    var version4 = sockaddr_in()
    var version6 = sockaddr_in6()
    let isVersion4 = inet_pton(AF_INET, address, &version4.sin_addr) == 1
    guard isVersion4 || inet_pton(AF_INET6, address, &version6.sin6_addr) == 1 else {
      throw .failed("\(address) is not a numeric address.")
    }
    version4.sin_family = sa_family_t(AF_INET)
    version4.sin_port = port.bigEndian
    version6.sin6_family = sa_family_t(AF_INET6)
    version6.sin6_port = port.bigEndian
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(isVersion4 ? AF_INET : AF_INET6, type, 0)
    var one: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
    func bind<Address>(_ address: Address) -> Int32 {
      withUnsafeBytes(of: address) { bytes in
        bytes.withMemoryRebound(to: sockaddr.self) {
          Glibc.bind(descriptor, $0.baseAddress, socklen_t(bytes.count))
        }
      }
    }
    guard descriptor >= 0, (isVersion4 ? bind(version4) : bind(version6)) == 0,
      Glibc.listen(descriptor, Int32(backlog)) == 0
    else {
      let reason = describe(errno)
      if descriptor >= 0 { close(descriptor) }
      throw .failed("Cannot listen at \(address) port \(port): \(reason).")
    }
    return descriptor
  }

  /// Notifies the service manager; does nothing when there is none. Assignments as in sd_notify(3).
  public static func notify(_ assignments: String) {
    guard let path = environment("NOTIFY_SOCKET") else { return }
    let message = Array(assignments.utf8)
    let result = message.withUnsafeBytes { linux_notify(path, $0.baseAddress, $0.count) }
    if result < 0 { log(.warning, "NOTIFY_SOCKET=\(path) takes no message: \(describe(errno)), ignoring.") }
  }

  private static func environment(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
  }
}
