import CLinux
import Glibc
import HTTPWire
import Linux
import Time

/// A connection that systemd has accepted, for one request. It belongs to this process, which was started for it, so that
/// everything may wait here.
struct AcceptedConnection {
  /// A stream socket.
  let descriptor: CInt

  /// How long a client may take for its request.
  private static let patience: Microseconds = .seconds(10)
  private static let longestBody = 16_384

  // MARK: Receiving

  /// Waits for one request.
  /// - Returns: Nil when the client has left without one.
  func receive() throws(HTTPError) -> (head: RequestHead, body: [UInt8])? {
    let deadline = Clock.loop + Self.patience
    var parser = HeadParser()
    var input: [UInt8] = []
    while true {
      if let (head, length) = try parser.parse(input.span) {
        return (head, try body(head, Array(input[length...]), deadline))
      }
      guard try receiveMore(&input, deadline) else {
        if input.isEmpty { return nil }
        throw HTTPError(400, "The request is incomplete.")
      }
    }
  }

  private func body(_ head: RequestHead, _ begun: [UInt8], _ deadline: LoopTime) throws(HTTPError) -> [UInt8]
  {
    var decoder = BodyDecoder(head.framing)
    var (input, body) = (begun, [UInt8]())
    if head.expectsContinue && !decoder.isComplete {
      _ = Self.send(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8), to: descriptor)
    }
    while true {
      var position = 0
      while let run = try decoder.next(input.span, from: &position) {
        body += input[run]
        if body.count > Self.longestBody {
          throw HTTPError(413, "The body is larger than \(Self.longestBody) bytes.")
        }
      }
      if decoder.isComplete { return body }
      input.removeAll(keepingCapacity: true)
      guard try receiveMore(&input, deadline) else { throw HTTPError(400, "The body is incomplete.") }
    }
  }

  /// False at the end of what the client sends.
  private func receiveMore(_ input: inout [UInt8], _ deadline: LoopTime) throws(HTTPError) -> Bool {
    let count = withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 16) { buffer -> Int in
      guard waitForInput(until: deadline) else { return -1 }
      let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
      if count > 0 { input.append(contentsOf: buffer[..<count]) }
      return max(count, 0)
    }
    if count < 0 {
      throw HTTPError(408, "The request took longer than \(Int(Self.patience.seconds)) seconds.")
    }
    return count > 0
  }

  private func waitForInput(until deadline: LoopTime) -> Bool {
    while true {
      let left = deadline - Clock.loop
      guard left > .zero else { return false }
      var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      let result = poll(&waiting, 1, CInt(clamping: left.roundedUp(to: .milliseconds(1))))
      if result > 0 { return true }
      if result < 0 && errno != EINTR { return false }
    }
  }

  // MARK: Answering

  /// Sends the connection's only response, and waits until the client has it.
  func answer(_ response: [UInt8]) {
    guard Self.send(response, to: descriptor) else { return }
    shutdown(descriptor, CInt(SHUT_WR))
    // A connection that is closed with unread input loses the answer.
    let deadline = Clock.loop + .seconds(1)
    var rest: [UInt8] = []
    while (try? receiveMore(&rest, deadline)) == true { rest.removeAll(keepingCapacity: true) }
  }

  /// Sends all of it, and waits as often as the peer needs. False when the peer is gone, or the socket's own time is over.
  static func send(_ bytes: [UInt8], to descriptor: CInt) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let sent = rest.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
      }
      if sent < 0 && errno == EINTR { continue }
      guard sent > 0 else { return false }
      rest = rest.dropFirst(sent)
    }
    return true
  }

  // MARK: Who

  /// The client: `ADDRESS:PORT`, as systemd says (systemd.exec(5), `REMOTE_ADDR`), or the user and the process of the host
  /// at the other end of a unix socket.
  var source: String {
    if let address = getenv("REMOTE_ADDR"), let port = getenv("REMOTE_PORT") {
      let text = String(cString: address)
      return (text.contains(":") ? "[\(text)]" : text) + ":" + String(cString: port)
    }
    var (pid, uid): (CInt, CUnsignedInt) = (0, 0)
    guard linux_peer_credentials(descriptor, &pid, &uid) == 0, pid != 0 else { return "unknown" }
    return "uid \(uid), pid \(pid)"
  }
}
