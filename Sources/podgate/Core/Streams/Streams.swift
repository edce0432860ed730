import Linux
import PodModel
import Systemd
import Time
import TokenCheck

/// The open WebSockets and event streams. nginx asks only once whether one may be opened, so podgate ends it when its user
/// loses the right to it: podd closes the client's connection.
@LoopActor
final class Streams {
  private struct Stream {
    let token: VerifiedToken
    let pod: String
    /// When the token ends.
    let until: WallTime
  }

  /// More are refused: what cannot be ended must not be opened.
  private static let most = 65_536

  /// By the client's end of the connection. With HTTP/2 one connection has several.
  private var open: [String: [Stream]] = [:]
  private var peersOfUser: [String: Set<String>] = [:]
  private var count = 0
  /// Peers whose connections podd has yet to close.
  private var closing: [String] = []
  private var isClosing = false
  private var expiry: EventSource?
  private var nextExpiry = WallTime.never
  private let close: @LoopActor ([String]) async throws(BusError) -> Void

  /// - Parameter close: Closes the connections of up to 256 peers.
  init(close: @escaping @LoopActor ([String]) async throws(BusError) -> Void) {
    self.close = close
  }

  /// False if it must not be opened, because it could not be ended.
  /// - Parameter until: When the token would no longer be taken.
  func opened(_ peer: String, by token: VerifiedToken, at pod: String, until: WallTime) -> Bool {
    guard count < Self.most else { return false }
    // Behind a proxy on a unix socket, nginx knows no peer.
    guard peer.utf8.contains(UInt8(ascii: ":")), !peer.hasPrefix("[unix:") else { return true }
    open[peer, default: []].append(Stream(token: token, pod: pod, until: until))
    peersOfUser[token.user.text, default: []].insert(peer)
    count += 1
    if until < nextExpiry { armExpiry(until) }
    return true
  }

  /// nginx has logged the end of a stream.
  func ended(_ peer: String, user: String) {
    guard var streams = open[peer], let index = streams.firstIndex(where: { $0.token.user.text == user })
    else {
      return
    }
    streams.remove(at: index)
    count -= 1
    open[peer] = streams.isEmpty ? nil : streams
    if !streams.contains(where: { $0.token.user.text == user }) { forget(peer, of: user) }
  }

  /// Ends all streams of a user who may not have them any more, or whose data is elsewhere now.
  /// - Parameter pod: Where the user is; nil if nowhere, or suspended.
  func end(ofUser user: String, unlessAt pod: String?) {
    for peer in peersOfUser[user] ?? [] {
      end(peer) { $0.token.user.text == user && $0.pod != pod }
    }
  }

  /// Ends all streams whose token is not good any more.
  func end(unless isGood: (VerifiedToken) -> Bool) {
    for peer in Array(open.keys) {
      end(peer) { !isGood($0.token) }
    }
  }

  /// podd can be asked again.
  func canClose() { closeNext() }

  private func end(_ peer: String, if isOver: (Stream) -> Bool) {
    guard let streams = open[peer], streams.contains(where: isOver) else { return }
    // The connection as a whole: nobody can end one stream of it.
    open[peer] = nil
    count -= streams.count
    for stream in streams { forget(peer, of: stream.token.user.text) }
    closing.append(peer)
    closeNext()
  }

  private func forget(_ peer: String, of user: String) {
    peersOfUser[user]?.remove(peer)
    if peersOfUser[user]?.isEmpty ?? false { peersOfUser[user] = nil }
  }

  private func closeNext() {
    guard !isClosing, !closing.isEmpty else { return }
    isClosing = true
    // After the other streams that end for the same reason.
    loopTask {
      let batch = Array(self.closing.prefix(256))
      self.closing.removeFirst(batch.count)
      do throws(BusError) {
        try await self.close(batch)
        self.isClosing = false
        self.closeNext()
      } catch {
        // Kept until podd is there, or the next stream has to be ended.
        GateLog.error("Connections of users without access cannot be closed yet: \(error.message)")
        self.closing.insert(contentsOf: batch, at: 0)
        self.isClosing = false
      }
    }
  }

  // MARK: Expiry

  private func armExpiry(_ time: WallTime) {
    nextExpiry = time
    // The clock may be set: look again after an hour at the latest.
    let span = min(time - Clock.wall, .hours(1))
    expiry = try? EventSource.timer(EventLoop.main, after: span, accuracy: .milliseconds(100)) {
      [weak self] in
      LoopActor.assumeIsolated { self?.endExpired() }
    }
  }

  private func endExpired() {
    let now = Clock.wall
    for peer in Array(open.keys) {
      end(peer) { now >= $0.until }
    }
    let next = open.values.joined().map(\.until).min()
    expiry = nil
    nextExpiry = .never
    if let next { armExpiry(next) }
  }
}
