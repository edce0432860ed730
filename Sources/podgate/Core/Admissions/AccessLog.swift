import Glibc
import Systemd
import Time

/// nginx's log of admitted requests that have ended: one datagram each, which nginx sends without waiting (front.conf,
/// `log_format gate`).
@LoopActor
final class AccessLog {
  /// What nginx says of one request.
  struct Line: Equatable {
    let ticket: Ticket
    /// From the first byte of the request to the last one of the response; nil if it is not understood.
    let time: Microseconds?
  }

  private let socket: CInt
  private var source: EventSource?
  private let ended: @LoopActor (Line) -> Void

  init(socket: CInt, ended: @escaping @LoopActor (Line) -> Void) throws(Errno) {
    self.socket = socket
    self.ended = ended
    source = try EventSource.io(EventLoop.main, descriptor: socket, events: PollEvents.input) {
      [weak self] _ in
      LoopActor.assumeIsolated { self?.readable() }
    }
  }

  private func readable() {
    // A bounded number, so that requests have their turn.
    var line = [UInt8](repeating: 0, count: 512)
    for _ in 0..<64 {
      let count = recv(socket, &line, line.count, CInt(MSG_DONTWAIT))
      guard count > 0 else { return }
      if let line = Self.parse(line[..<count]) { ended(line) }
    }
  }

  /// `<190>Nov 30 01:02:03 nginx: TICKET STATUS BYTES SECONDS`, with tabs between the four.
  nonisolated static func parse(_ line: ArraySlice<UInt8>) -> Line? {
    let fields = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
    guard fields.count == 4, let blank = fields[0].lastIndex(of: UInt8(ascii: " ")) else { return nil }
    return Ticket(fields[0][(blank + 1)...]).map { Line(ticket: $0, time: time(fields[3])) }
  }

  /// `12.034`: seconds, and always three digits behind the point.
  private nonisolated static func time(_ text: ArraySlice<UInt8>) -> Microseconds? {
    let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1].count == 3, (1...9).contains(parts[0].count),
      let seconds = UInt64(String(decoding: parts[0], as: UTF8.self)),
      let milliseconds = UInt64(String(decoding: parts[1], as: UTF8.self))
    else { return nil }
    return .seconds(seconds) + .milliseconds(milliseconds)
  }
}
