import HTTPWire
import Linux
import PodModel
import Systemd
import Time
import TokenCheck

/// Decides each request: who it is, where it goes, or why it goes nowhere.
///
/// What a token says is remembered, and what podd says of its user; both are looked at with each request, so what is
/// withdrawn is withdrawn for the next one.
@LoopActor
final class Gatekeeper {
  /// Replaced by a reload. The cache notices that by itself. Nil as long as no keys could be read.
  var verifier: TokenVerifier?
  private var tokens = TokenCache()
  private var buckets = BucketTable()
  private let placements: Placements
  private let streams: Streams

  /// For a pod that somebody has to act upon: an administrator, or its program's author.
  private static let longRetry: Microseconds = .seconds(30)
  private static let shortRetry: Microseconds = .seconds(1)

  init(placements: Placements, streams: Streams) {
    self.placements = placements
    self.streams = streams
  }

  /// Answers at once, or when podd has said where the user is.
  func judge(_ request: AuthRequest, _ connection: AuthConnection) {
    guard let verifier else { return connection.answer(.refuse(status: 503, retryAfter: Self.longRetry)) }
    guard let bearer = request.bearer else { return connection.answer(.unauthenticated(.noToken)) }
    let token: VerifiedToken
    do throws(TokenError) {
      token = try tokens.verify(bearer.span, with: verifier, now: Clock.wall)
    } catch {
      return connection.answer(.unauthenticated(.invalidToken(error.description)))
    }
    let path: CanonicalPath
    do throws(PathError) {
      path = try CanonicalPath(target: request.target.span)
    } catch {
      return connection.answer(.refuse(status: 400))
    }
    placements.find(token.user.text, forWriting: request.writes) { standing in
      connection.answer(self.verdict(request, token, path, standing, until: token.expires + verifier.leeway))
    }
  }

  private func verdict(
    _ request: AuthRequest, _ token: VerifiedToken, _ path: CanonicalPath, _ standing: Standing?,
    until end: WallTime
  ) -> Answer {
    let place: Place
    switch standing {
    case nil: return .refuse(status: 503, retryAfter: Self.shortRetry)
    case .unknown, .suspended: return .refuse(status: 403)
    case .active(let found): place = found
    }
    if place.rules.reserves(path) { return .refuse(status: 403) }
    if let rate = place.rules.rate,
      case .refused(let seconds) = buckets.take(token.user, rate, now: EventLoop.main.now())
    {
      return .refuse(status: 429, retryAfter: .seconds(seconds))
    }
    if request.writes, !place.hasRoom(forBody: request.bodyLength) { return .refuse(status: 507) }
    guard place.pod.answers else { return .refuse(status: 503, retryAfter: Self.longRetry) }
    if request.isStream, !streams.opened(request.peer, by: token, at: place.pod.name, until: end) {
      return .refuse(status: 503, retryAfter: Self.longRetry)
    }
    return .admit(place.admission)
  }
}
