/// The end of a server's service: how long each of its connections may continue, so that no request is lost.
///
/// A client may send its next request just as the server closes the idle connection (RFC 9112, 9.5), and a
/// connection that is half-closed cannot be answered. So the server ends a connection by a response with
/// `Connection: close`, and an idle connection waits for a request to answer. It waits for
/// `ServerLimits.drainIdle` only, because the next generation may be waiting for the end of this one: an
/// active client sends another request within that time, and a client that was quiet for longer notices the
/// end before its next request. nginx, too, drops a kept connection as soon as the server ends it.
struct Drain {
  private let start: UInt64
  private let limits: ServerLimits

  /// - Parameter now: Milliseconds of the server's clock.
  init(at now: UInt64, _ limits: ServerLimits) {
    start = now
    self.limits = limits
  }

  /// From this time on, a request that is not complete is refused; otherwise its client would be cut off.
  var refusal: UInt64 { start + limits.drain }

  /// - Parameter wanted: when the connection would time out if the server continued.
  func deadline(of connection: Connection, now: UInt64, wanted: UInt64) -> UInt64 {
    switch connection.phase {
    case .head where connection.isIdle: min(wanted, now + limits.drainIdle, refusal)
    case .head, .body: min(wanted, refusal)
    case .reply, .linger: min(wanted, refusal + limits.linger)
    }
  }

  /// Whether the next response is to be the connection's last. Requests that the client has sent already are
  /// answered first, but not for ever, because some clients always have a request under way.
  func isLast(on connection: Connection, now: UInt64) -> Bool {
    now >= start + limits.drainIdle || (connection.input.isEmpty && !connection.hasUnread)
  }
}
