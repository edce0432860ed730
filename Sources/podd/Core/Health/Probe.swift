import Glibc
import Linux
import PodModel
import PodStore
import Systemd
import Time

/// One probe of a pod, from its front address: does its program answer?
@LoopActor
enum Prober {
  /// TCP: the program accepts the connection; the kernel alone would also take it for a program that hangs. HTTP: any
  /// status below 500.
  ///
  /// - Parameter asks: Gets the local port of the probe before its connection can be seen.
  static func ask(
    _ probe: Workload.Probe, _ pod: PodRecord, timeout: Microseconds, asks: (UInt16) -> Void
  ) async -> Health.Answer {
    let loop = EventLoop.main
    let deadline = loop.now() + timeout
    let socket: FileDescriptor
    do throws(Errno) {
      socket = try connecting(to: pod)
    } catch {
      // No packet was sent.
      return .unasked("podd cannot ask: \(error)")
    }
    let mine = localPort(socket.raw)
    asks(mine)
    // Other connections are read only when podd has to wait.
    var before: [PodConnection]?
    var events = await loop.wait(
      descriptor: socket.raw, events: PollEvents.output, timeout: min(timeout, promptly))
    if events == 0 {
      before = try? Connections.of(address: pod.address, port: pod.port)
      let now = loop.now()
      if now < deadline {
        events = await loop.wait(
          descriptor: socket.raw, events: PollEvents.output, timeout: deadline - now)
      }
    }
    let error = pendingError(socket.raw)
    guard error == 0 else { return .silent("cannot connect: \(Errno(error, "connect").name)") }
    var answer: Health.Answer?
    // Without an event the program's queue is full, and the kernel does not answer for it.
    if events != 0 {
      switch probe {
      case .tcp: answer = await accepted(mine, pod, deadline, &before)
      case .http(let path): answer = await status(socket.raw, path, pod, deadline, &before)
      }
    }
    if let answer { return answer }
    // It does not answer podd: does it work for others?
    if let before, let after = try? Connections.of(address: pod.address, port: pod.port),
      PodConnection.progress(from: before, to: after, besides: mine)
    {
      return .slow
    }
    let what = events == 0 ? "not connected" : probe == .tcp ? "not accepted" : "no answer"
    return .silent("\(what) within \(seconds(timeout))")
  }

  /// An answer within this time needs no further check.
  private static let promptly: Microseconds = .milliseconds(500)

  /// Nil: not in time. Nothing reports that the program has accepted a connection, so the kernel is asked at growing
  /// intervals.
  private static func accepted(
    _ port: UInt16, _ pod: PodRecord, _ deadline: LoopTime, _ before: inout [PodConnection]?
  ) async -> Health.Answer? {
    let loop = EventLoop.main
    var pauses = DoublingPause(first: .milliseconds(20), longest: .seconds(1))
    while true {
      let now = loop.now()
      guard now < deadline else { return nil }
      await loop.sleep(min(pauses.next(), deadline - now))
      do throws(Errno) {
        let all = try Connections.of(address: pod.address, port: pod.port)
        // It was accepted, or closed after that.
        if all.first(where: { $0.remotePort == port })?.isAccepted ?? true { return .alive }
        before = before ?? all
      } catch {
        // A kernel without sock_diag: it is connected, and no more can be known.
        return .alive
      }
    }
  }

  /// Nil: not in time.
  private static func status(
    _ socket: CInt, _ path: String, _ pod: PodRecord, _ deadline: LoopTime, _ before: inout [PodConnection]?
  ) async -> Health.Answer? {
    let request =
      "GET \(path) HTTP/1.1\r\nHost: \(pod.address):\(pod.port)\r\nUser-Agent: podctl\r\nConnection: close\r\n\r\n"
    let bytes = Array(request.utf8)
    let sent = bytes.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
    guard sent == bytes.count else { return .silent("the connection was closed") }
    var head: [UInt8] = []
    while head.count < 12 {
      let now = EventLoop.main.now()
      guard now < deadline else { return nil }
      let patience = before == nil ? min(promptly, deadline - now) : deadline - now
      let events = await EventLoop.main.wait(
        descriptor: socket, events: PollEvents.input, timeout: patience)
      if events == 0 {
        if before == nil {
          before = (try? Connections.of(address: pod.address, port: pod.port)) ?? []
          continue
        }
        return nil
      }
      var chunk = [UInt8](repeating: 0, count: 64)
      let got = chunk.withUnsafeMutableBytes { read(socket, $0.baseAddress, $0.count) }
      guard got > 0 else { return .silent("the connection was closed without an answer") }
      head += chunk[0..<got]
    }
    // "HTTP/1.1 200": the status stands at a fixed place.
    guard head.starts(with: Array("HTTP/1.".utf8)),
      let status = Int(String(decoding: head[9..<12], as: UTF8.self))
    else { return .silent("the answer is not HTTP") }
    return status < 500 ? .alive : .silent("HTTP \(status)")
  }

  private static func seconds(_ span: Microseconds) -> String {
    let tenths = span / .milliseconds(100)
    return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
  }

  // MARK: Sockets

  private static func connecting(to pod: PodRecord) throws(Errno) -> FileDescriptor {
    let raw = socket(
      AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
    guard raw >= 0 else { throw Errno.last("socket") }
    let descriptor = FileDescriptor(owning: raw)
    // Reaches a pod whose new connections are held; without CAP_NET_ADMIN it is a connection like any other.
    var mark = PacketFilter.probeMark
    setsockopt(raw, SOL_SOCKET, SO_MARK, &mark, socklen_t(MemoryLayout<UInt32>.size))
    guard withAddress(pod.frontAddress, 0, { bind(raw, $0, $1) }) == 0 else {
      throw Errno.last("bind \(pod.frontAddress)")
    }
    let result = withAddress(pod.address, pod.port) { connect(raw, $0, $1) }
    guard result == 0 || errno == EINPROGRESS else { throw Errno.last("connect") }
    return descriptor
  }

  private static func localPort(_ raw: CInt) -> UInt16 {
    var name = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(raw, $0, &size) }
    }
    return UInt16(bigEndian: name.sin_port)
  }

  private static func withAddress(
    _ address: String, _ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
  ) -> CInt {
    guard let ip = ipv4(address) else { return -1 }
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
