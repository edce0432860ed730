internal import CLinux
internal import Glibc

/// A response that is being sent, in parts that the client can take.
final class Outgoing {
  enum Progress {
    case done, later, broken
  }

  private var bytes: [UInt8]
  private var sent = 0
  /// Bytes that the socket has taken.
  private(set) var passed = 0
  private var body: Reply.Body?
  private var position = 0

  /// - Parameter body: What follows the head; nil for none (HEAD).
  init(head: [UInt8], body: Reply.Body?) {
    bytes = head
    switch body {
    case .bytes(let content)?:
      bytes += content
    case .file(_, let range)?:
      position = range.lowerBound
      self.body = body
    case .contents?, nil:
      self.body = body
    }
  }

  /// Sends until everything is sent or the socket takes no more.
  func send(to socket: Int32) -> Progress {
    while true {
      while sent < bytes.count {
        let more = body == nil ? 0 : Int32(MSG_MORE)
        let count = bytes.withUnsafeBytes {
          Glibc.send(
            socket, $0.baseAddress?.advanced(by: sent), $0.count - sent, Int32(MSG_NOSIGNAL) | more)
        }
        if count < 0 && errno == EINTR { continue }
        if count < 0 { return errno == EAGAIN ? .later : .broken }
        sent += count
        passed += count
      }
      bytes = []
      sent = 0
      switch body {
      case nil, .bytes?:
        return .done
      case .file(let file, let range)?:
        guard position < range.upperBound else {
          body = nil
          continue
        }
        let count = linux_send_file(socket, file.descriptor, UInt64(position), range.upperBound - position)
        if count < 0 && errno == EINTR { continue }
        if count < 0 && errno == EAGAIN { return .later }
        // 0: the file became shorter than the length that was promised.
        guard count > 0 else { return .broken }
        position += count
        passed += count
      case .contents(let contents, let length)?:
        guard let lines = try? contents.nextLines(), position + lines.count <= length else { return .broken }
        position += lines.count
        guard !lines.isEmpty || position == length else { return .broken }
        // Before the last part is sent: it must not wait for more (MSG_MORE).
        if position == length { body = nil }
        bytes = lines
      }
    }
  }
}
