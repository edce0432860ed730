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
  var configuration: GateConfiguration?
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
    guard let configuration else {
      return connection.answer(
        .refuse(status: 503, reason: "the front door has no keys", retryAfter: Self.longRetry))
    }
    let bearer: Credential
    do throws(Credential.Failure) {
      bearer = try Credential(of: request, cookieName: configuration.settings.tokenCookie)
    } catch {
      return connection.answer(error.answer)
    }
    guard !bearer.isOfBrowser || configuration.pages.sent(request) else {
      let reason = "a token in a cookie or subprotocol is taken from pages of AllowedOrigins= only"
      return connection.answer(.refuse(status: 403, reason: reason))
    }
    let token: VerifiedToken
    do throws(TokenError) {
      token = try tokens.verify(bearer.token.span, with: configuration.verifier, now: Clock.wall)
    } catch {
      return connection.answer(.unauthenticated(.invalidToken(error.description)))
    }
    guard let fields = AdmittedFields(request, cookieName: configuration.settings.tokenCookie) else {
      return connection.answer(.refuse(status: 400, reason: "the cookies are too long"))
    }
    let path: CanonicalPath
    do throws(PathError) {
      path = try CanonicalPath(target: request.target.span)
    } catch {
      return connection.answer(.refuse(status: 400, reason: "the path is not in its simplest form"))
    }
    let end = token.expires + configuration.verifier.leeway
    placements.find(token.user.text, forWriting: request.writes) { standing in
      connection.answer(self.verdict(request, token, path, standing, fields, until: end))
    }
  }

  private func verdict(
    _ request: AuthRequest, _ token: VerifiedToken, _ path: CanonicalPath, _ standing: Standing?,
    _ fields: AdmittedFields, until end: WallTime
  ) -> Answer {
    let place: Place
    switch standing {
    case nil: return Self.unavailable(Self.shortRetry)
    case .unknown, .suspended: return .refuse(status: 403, reason: "no access")
    case .active(let found): place = found
    }
    if place.rules.reserves(path) { return .refuse(status: 403, reason: "no access") }
    if let rate = place.rules.rate,
      case .refused(let seconds) = buckets.take(token.user, rate, now: EventLoop.main.now())
    {
      return .refuse(status: 429, reason: "too many requests", retryAfter: .seconds(seconds))
    }
    if request.writes, !place.hasRoom(forBody: request.bodyLength) {
      return .refuse(status: 507, reason: "the data limit is reached")
    }
    guard place.pod.answers else { return Self.unavailable(Self.longRetry) }
    if request.isStream, !streams.opened(request.peer, by: token, at: place.pod.name, until: end) {
      return Self.unavailable(Self.longRetry)
    }
    return .admit(place.admission, fields)
  }

  private static func unavailable(_ retry: Microseconds) -> Answer {
    .refuse(status: 503, reason: "the pod is not available", retryAfter: retry)
  }
}

extension Credential.Failure {
  fileprivate var answer: Answer {
    switch self {
    case .none: .unauthenticated(.noToken)
    case .several: .refuse(status: 400, reason: "the request has more than one token")
    }
  }
}
