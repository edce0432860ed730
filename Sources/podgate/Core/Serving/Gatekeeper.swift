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
  private(set) var tokens = TokenCache()
  private var buckets = BucketTable()
  private let placements: Placements
  private let admissions: Admissions

  /// For a pod that somebody has to act upon: an administrator, or its program's author.
  private static let longRetry: Microseconds = .seconds(30)
  private static let shortRetry: Microseconds = .seconds(1)

  init(placements: Placements, admissions: Admissions) {
    self.placements = placements
    self.admissions = admissions
  }

  /// What a request says by itself, found to be in order.
  private struct Claim {
    let token: VerifiedToken
    let path: CanonicalPath
    let fields: AdmittedFields
    /// When the token would no longer be taken.
    let end: WallTime
  }

  private struct Refused: Error {
    let answer: Answer
    init(_ answer: Answer) { self.answer = answer }
  }

  /// Answers at once, or when podd has said where the user is.
  func judge(_ request: AuthRequest, _ connection: AuthConnection) {
    let claim: Claim
    do throws(Refused) {
      claim = try check(request)
    } catch {
      connection.answer(error.answer)
      return
    }
    let user = claim.token.user.text
    // Most are known, and nothing has to be kept for later.
    if let standing = placements.known(user, forWriting: request.writes) {
      answer(request, claim, standing, connection)
    } else {
      placements.ask(user) { self.answer(request, claim, $0, connection) }
    }
  }

  private func answer(
    _ request: AuthRequest, _ claim: Claim, _ standing: Standing?, _ connection: AuthConnection
  ) {
    let answer = verdict(request, claim, standing)
    if !connection.answer(answer), case .admit(_, let fields) = answer, let ticket = fields.ticket {
      admissions.close(ticket)
    }
  }

  private func check(_ request: AuthRequest) throws(Refused) -> Claim {
    guard let configuration else {
      throw Refused(
        .refuse(status: 503, reason: "the front door has no keys", retryAfter: Self.longRetry))
    }
    let bearer: Credential
    do throws(Credential.Failure) {
      bearer = try Credential(of: request, cookieName: configuration.settings.tokenCookie)
    } catch {
      throw Refused(error.answer)
    }
    guard !bearer.isOfBrowser || configuration.pages.sent(request) else {
      let reason = "a token in a cookie or subprotocol is taken from pages of AllowedOrigins= only"
      throw Refused(.refuse(status: 403, reason: reason))
    }
    let token: VerifiedToken
    do throws(TokenError) {
      token = try tokens.verify(bearer.token.span, with: configuration.verifier, now: Clock.wall)
    } catch {
      throw Refused(.unauthenticated(.invalidToken(error.description)))
    }
    guard request.isAtHost(of: token.user, configuration.settings.userOfHost) else {
      throw Refused(.refuse(status: 403, reason: "this host name is another user's"))
    }
    guard let fields = AdmittedFields(request, cookieName: configuration.settings.tokenCookie) else {
      throw Refused(.refuse(status: 400, reason: "the cookies are too long"))
    }
    do throws(PathError) {
      let path = try CanonicalPath(target: request.target.span)
      return Claim(
        token: token, path: path, fields: fields, end: token.expires + configuration.verifier.leeway)
    } catch {
      throw Refused(.refuse(status: 400, reason: "the path is not in its simplest form"))
    }
  }

  private func verdict(_ request: AuthRequest, _ claim: Claim, _ standing: Standing?) -> Answer {
    let place: Place
    switch standing {
    case nil: return Self.unavailable(Self.shortRetry)
    case .unknown, .suspended: return .refuse(status: 403, reason: "no access")
    case .active(let found): place = found
    }
    if place.rules.reserves(claim.path) { return .refuse(status: 403, reason: "no access") }
    if let rate = place.rules.rate,
      case .refused(let seconds) = buckets.take(claim.token.user, rate, now: EventLoop.main.now())
    {
      return .refuse(status: 429, reason: "too many requests", retryAfter: .seconds(seconds))
    }
    if request.writes, !place.hasRoom(forBody: request.bodyLength) {
      return .refuse(status: 507, reason: "the data limit is reached")
    }
    guard place.pod.answers else { return Self.unavailable(Self.longRetry) }
    let until = request.isStream ? claim.end : nil
    switch admissions.open(claim.token, at: place, client: request.peer, until: until) {
    case .admitted(let ticket):
      var fields = claim.fields
      fields.ticket = ticket
      return .admit(place.admission(of: claim.token.user.text), fields)
    case .tooMany:
      return .refuse(status: 429, reason: "too many connections at once", retryAfter: Self.shortRetry)
    case .full: return Self.unavailable(Self.longRetry)
    }
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
