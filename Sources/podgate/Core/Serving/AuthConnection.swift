import Glibc
import HTTPWire
import Linux
import Systemd
import Time

/// One of nginx's connections: requests without a body, one after the other, each answered whatever it looks like.
@LoopActor
final class AuthConnection {
  let descriptor: CInt
  private let watching: ConnectionSet
  private var input: [UInt8] = []
  private var parser = HeadParser(limits: AuthConnection.limits)
  private var phase = Phase.reading
  /// Nobody reads while the judge waits for podd.
  private var isPaused = false
  /// When the request came that the judge has.
  private var cameAt = LoopTime.zero
  private let figures: GateFigures
  private let judge: @LoopActor (AuthRequest, AuthConnection) -> Void
  private let onEnd: @LoopActor (AuthConnection) -> Void

  private enum Phase {
    case reading
    /// The judge has the request; nothing is read meanwhile, because nginx sends one at a time.
    case judging
    /// Answered, and the rest of a request that cannot be understood is read and forgotten: a connection that is closed
    /// with unread input loses the answer.
    case discarding
  }

  /// nginx takes heads of up to 64 KiB (`large_client_header_buffers`), and most fields of them come on.
  private static let limits = {
    var limits = HeadParser.Limits()
    limits.head = 98_304
    return limits
  }()

  init(
    _ descriptor: CInt, in connections: ConnectionSet, figures: GateFigures,
    judge: @escaping @LoopActor (AuthRequest, AuthConnection) -> Void,
    onEnd: @escaping @LoopActor (AuthConnection) -> Void
  ) throws(Errno) {
    self.descriptor = descriptor
    watching = connections
    self.figures = figures
    self.judge = judge
    self.onEnd = onEnd
    try connections.add(descriptor) { [weak self] in self?.readable() }
  }

  /// Ends the request that the judge has. False if nginx does not wait for it any more, because the client has left.
  @discardableResult
  func answer(_ answer: Answer) -> Bool {
    guard phase == .judging else { return false }
    phase = .reading
    figures.answered(answer, after: Clock.loop - cameAt)
    guard send(answer.serialized()) else {
      end()
      return false
    }
    if isPaused { watching.resume(descriptor) }
    isPaused = false
    return true
  }

  private func readable() {
    let count = withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 16) { buffer in
      let count = recv(descriptor, buffer.baseAddress, buffer.count, CInt(MSG_DONTWAIT))
      if count > 0, phase == .reading { input.append(contentsOf: buffer[..<count]) }
      return count
    }
    if count < 0, errno == EAGAIN || errno == EINTR { return }
    guard count > 0 else { return end() }
    guard phase == .reading else { return }
    do throws(HTTPError) {
      guard let (head, length) = try parser.parse(input.span) else { return }
      guard length == input.count, head.framing == .none || head.framing == .length(0) else {
        throw HTTPError(400, "An auth request has no body, and comes alone.")
      }
      input.removeAll(keepingCapacity: true)
      parser = HeadParser(limits: Self.limits)
      if head.path == GateFigures.path {
        if !send(figures.response) { end() }
        return
      }
      let request = try AuthRequest(head)
      phase = .judging
      cameAt = Clock.loop
      judge(request, self)
      // Not answered yet.
      if phase == .judging {
        watching.pause(descriptor)
        isPaused = true
      }
    } catch {
      // Something in the client's request that nginx lets pass, and that nobody needs to understand.
      phase = .discarding
      input = []
      let status = error.status == 431 || error.status == 414 ? 400 : error.status
      let refusal = Answer.refuse(status: status, reason: "the request cannot be understood")
      if !send(refusal.serialized(closes: true)) { return end() }
      shutdown(descriptor, CInt(SHUT_WR))
    }
  }

  /// False when the peer is gone. An answer is a few hundred bytes, which a socket without unread answers always takes.
  private func send(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes {
      Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL))
    } == bytes.count
  }

  private func end() {
    watching.remove(descriptor)
    onEnd(self)
  }

  deinit {
    close(descriptor)
  }
}
