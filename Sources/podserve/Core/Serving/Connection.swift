internal import CLinux
internal import Glibc
internal import HTTPWire

/// One client's connection: its input, its phase, and its output.
final class Connection {
  enum Phase {
    /// Waiting for, or reading, a request's head.
    case head(HeadParser)
    case body(BodyDecoder, Upload)
    case reply(Outgoing)
    /// The last response is sent. Further input is discarded, so that the client can read the response before
    /// the connection is reset.
    case linger
  }

  let descriptor: Int32
  var phase = Phase.head(HeadParser())
  /// Received and not yet processed.
  var input: [UInt8] = []
  /// When the connection times out; milliseconds of the monotonic clock.
  var deadline: UInt64
  /// When the body, or the response, began, and how many of its bytes have passed since.
  var began: UInt64 = 0
  var passed = 0
  /// The request's part of its user's load.
  var share: RequestShare?
  /// What the poll set watches for.
  var interest: Int32 = 0
  /// What the response needs to know about the request.
  var isHead = false
  var closes = false
  var lingers = false
  /// Whether a request was answered on this connection before.
  var wasServed = false

  init(descriptor: Int32, deadline: UInt64) {
    self.descriptor = descriptor
    self.deadline = deadline
  }

  deinit {
    close(descriptor)
  }

  /// Whether it is between two requests, and nothing of the next one has arrived.
  var isIdle: Bool {
    if case .head = phase { input.isEmpty } else { false }
  }

  /// Whether bytes wait in the socket.
  var hasUnread: Bool {
    var byte: UInt8 = 0
    return recv(descriptor, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)) > 0
  }

  enum Received {
    case some, later, end
  }

  /// Reads once. `end` stands for the client's end and for a broken connection.
  func receive(into scratch: UnsafeMutableRawBufferPointer, keep: Bool = true) -> Received {
    while true {
      let count = recv(descriptor, scratch.baseAddress, scratch.count, 0)
      if count > 0 {
        if keep { input.append(contentsOf: scratch[..<count]) }
        return .some
      }
      if count < 0 && errno == EINTR { continue }
      return count < 0 && errno == EAGAIN ? .later : .end
    }
  }

  /// Removes bytes from the front of the input. An empty buffer is freed, because there are many idle
  /// connections.
  func consume(_ count: Int) {
    if count == input.count {
      input = []
    } else {
      input.removeFirst(count)
    }
  }
}
