import Glibc
import Systemd

/// nginx's log of admitted requests that have ended: one datagram each, which nginx sends without waiting (front.conf,
/// `log_format gate`).
@LoopActor
final class AccessLog {
  private let socket: CInt
  private var source: EventSource?
  private let ended: @LoopActor (Ticket) -> Void

  init(socket: CInt, ended: @escaping @LoopActor (Ticket) -> Void) throws(Errno) {
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
      if let ticket = Self.parse(line[..<count]) { ended(ticket) }
    }
  }

  /// `<190>Nov 30 01:02:03 nginx: TICKET STATUS BYTES SECONDS`, with tabs between the four.
  nonisolated static func parse(_ line: ArraySlice<UInt8>) -> Ticket? {
    let fields = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
    guard fields.count == 4, let blank = fields[0].lastIndex(of: UInt8(ascii: " ")) else { return nil }
    return Ticket(fields[0][(blank + 1)...])
  }
}
