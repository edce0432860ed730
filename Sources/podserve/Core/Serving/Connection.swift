internal import CLinux
internal import Glibc
internal import HTTPWire

/// One client's connection: what has come, what is being done, what is to go out.
final class Connection {
  enum Phase {
    /// Waiting for, or reading, a request's head.
    case head(HeadParser)
    case body(BodyDecoder, Upload)
    case reply(Outgoing)
    /// The last response is out; what the client still sends is thrown away, so that it can read the
    /// response before the connection is reset.
    case linger
  }

  let descriptor: Int32
  var phase = Phase.head(HeadParser())
  /// Received, not yet taken.
  var input: [UInt8] = []
  /// Milliseconds of the monotonic clock; then the connection has had its time.
  var deadline: UInt64
  /// What the poll set watches for.
  var interest: Int32 = 0
  /// Facts about the request under way that its response needs.
  var isHead = false
  var closes = false
  var lingers = false
  /// A request was answered here before.
  var wasServed = false

  init(descriptor: Int32, deadline: UInt64) {
    self.descriptor = descriptor
    self.deadline = deadline
  }

  deinit {
    close(descriptor)
  }

  /// Between two requests, with nothing of the next one here yet.
  var isIdle: Bool {
    if case .head = phase { input.isEmpty } else { false }
  }

  /// Bytes wait in the socket.
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

  /// Takes bytes from the front of the input; an emptied buffer is given back, for idle ones are many.
  func consume(_ count: Int) {
    if count == input.count {
      input = []
    } else {
      input.removeFirst(count)
    }
  }
}
