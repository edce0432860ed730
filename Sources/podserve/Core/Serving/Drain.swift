/// The end of a server's service: for how long each of its connections may go on, so that no request is lost.
///
/// A client may send its next request just as the server closes the idle connection (RFC 9112, 9.5), and a connection
/// half-closed cannot be answered any more. So a connection is ended by an answer that says `Connection: close`, and
/// an idle one waits for a request to answer. It waits for `ServerLimits.drainIdle` only, because the next generation
/// may be waiting for this one's end: a client in use asks again within that time, and one that has been quiet for
/// longer sees the end before it asks again. nginx, too, drops a kept connection as soon as the server ends it.
struct Drain {
  private let start: UInt64
  private let limits: ServerLimits

  /// - Parameter now: Milliseconds of the server's clock.
  init(at now: UInt64, _ limits: ServerLimits) {
    start = now
    self.limits = limits
  }

  /// From here on a request that has not come whole is refused: its client would be cut off otherwise.
  var refusal: UInt64 { start + limits.drain }

  /// - Parameter wanted: When the connection's time would be over if the server went on.
  func deadline(of connection: Connection, now: UInt64, wanted: UInt64) -> UInt64 {
    switch connection.phase {
    case .head where connection.isIdle: min(wanted, now + limits.drainIdle, refusal)
    case .head, .body: min(wanted, refusal)
    case .reply, .linger: min(wanted, refusal + limits.linger)
    }
  }

  /// Whether the answer to be given now is to be the connection's last. What a client sent ahead of it is answered
  /// first, but not for ever: some always have a request on its way.
  func isLast(on connection: Connection, now: UInt64) -> Bool {
    now >= start + limits.drainIdle || (connection.input.isEmpty && !connection.hasUnread)
  }
}
