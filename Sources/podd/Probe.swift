import Glibc
import PodModel
import Systemd

/// One question to a pod, asked from its front address: is somebody there?
@LoopActor
enum Prober {
  /// True when the pod answers within the timeout. TCP: the connection is accepted by the kernel's queue or
  /// the program; HTTP: any status below 500.
  static func ask(
    _ probe: Workload.Probe, address: String, front: String, port: Int, timeoutUSec: UInt64
  ) async -> Bool {
    guard let socket = connecting(from: front, to: address, port: port) else { return false }
    let loop = EventLoop.main
    let deadline = loop.now() + timeoutUSec
    let ready = await loop.wait(
      descriptor: socket.raw, events: PollEvents.output, timeoutUSec: timeoutUSec)
    guard ready != 0, pendingError(socket.raw) == 0 else { return false }
    guard case .http(let path) = probe else { return true }

    let request =
      "GET \(path) HTTP/1.1\r\nHost: \(address):\(port)\r\nUser-Agent: podctl\r\nConnection: close\r\n\r\n"
    guard (try? socket.writeAll(Array(request.utf8))) != nil else { return false }
    var head: [UInt8] = []
    while head.count < 12 {
      let now = loop.now()
      guard now < deadline else { return false }
      let events = await loop.wait(
        descriptor: socket.raw, events: PollEvents.input, timeoutUSec: deadline - now)
      guard events != 0 else { return false }
      var chunk = [UInt8](repeating: 0, count: 64)
      let got = chunk.withUnsafeMutableBytes { read(socket.raw, $0.baseAddress, $0.count) }
      guard got > 0 else { return false }
      head += chunk[0..<got]
    }
    // "HTTP/1.1 200": the status stands at a fixed place.
    guard head.starts(with: Array("HTTP/1.".utf8)),
      let status = Int(String(decoding: head[9..<12], as: UTF8.self))
    else { return false }
    return status < 500
  }

  private static func connecting(from front: String, to address: String, port: Int) -> FileDescriptor? {
    let raw = socket(
      AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
    guard raw >= 0 else { return nil }
    let descriptor = FileDescriptor(owning: raw)
    // To reach a pod that is held; without CAP_NET_ADMIN it is a probe like any other.
    var mark = PacketFilter.probeMark
    setsockopt(raw, SOL_SOCKET, SO_MARK, &mark, socklen_t(MemoryLayout<UInt32>.size))
    guard withAddress(front, 0, { bind(raw, $0, $1) }) == 0 else { return nil }
    let result = withAddress(address, port) { connect(raw, $0, $1) }
    guard result == 0 || errno == EINPROGRESS else { return nil }
    return descriptor
  }

  private static func withAddress(
    _ address: String, _ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
  ) -> CInt {
    guard let ip = ListeningSockets.ipv4(address) else { return -1 }
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = in_port_t(port).bigEndian
    name.sin_addr.s_addr = ip
    return withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  private static func pendingError(_ raw: CInt) -> CInt {
    var error: CInt = 0
    var size = socklen_t(MemoryLayout<CInt>.size)
    getsockopt(raw, SOL_SOCKET, SO_ERROR, &error, &size)
    return error
  }
}
