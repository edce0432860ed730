import Glibc
import Systemd

/// nginx's log of ended streams: one datagram each, which nginx sends without waiting (front.conf, `log_format gate`).
@LoopActor
final class AccessLog {
  private let socket: CInt
  private var source: EventSource?
  private let ended: @LoopActor (_ peer: String, _ user: String) -> Void

  init(socket: CInt, ended: @escaping @LoopActor (_ peer: String, _ user: String) -> Void) throws(Errno) {
    self.socket = socket
    self.ended = ended
    source = try EventSource.io(EventLoop.main, descriptor: socket, events: PollEvents.input) {
      [weak self] _ in
      LoopActor.assumeIsolated { self?.readable() }
    }
  }

  private func readable() {
    // A bounded number, so that requests have their turn.
    for _ in 0..<64 {
      var line = [UInt8](repeating: 0, count: 2048)
      let count = recv(socket, &line, line.count, CInt(MSG_DONTWAIT))
      guard count > 0 else { return }
      if let (user, peer) = Self.parse(line[..<count]) { ended(peer, user) }
    }
  }

  /// `<190>Nov 30 01:02:03 nginx: USER PEER STATUS BYTES SECONDS`, with tabs between the five.
  nonisolated static func parse(_ line: ArraySlice<UInt8>) -> (user: String, peer: String)? {
    let fields = line.split(separator: UInt8(ascii: "\t"), omittingEmptySubsequences: false)
    guard fields.count == 5, let blank = fields[0].lastIndex(of: UInt8(ascii: " ")) else { return nil }
    let user = fields[0][(blank + 1)...]
    return (String(decoding: user, as: UTF8.self), String(decoding: fields[1], as: UTF8.self))
  }
}
