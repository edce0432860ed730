import HTTPWire
import PodAPI

/// Why a request of an administrator is not served.
struct AdminRefusal: Error {
  /// A status of RFC 9110, 400–599.
  let status: Int
  /// One sentence in podctl's style: lower-case, without a full stop.
  let reason: String
  var fields: [(name: String, value: String)] = []

  init(_ status: Int, _ reason: String, fields: [(name: String, value: String)] = []) {
    self.status = status
    self.reason = reason
    self.fields = fields
  }

  init(_ error: HTTPError) { self.init(error.status, error.reason) }

  /// What podd said. A client that may try again is told when.
  init(_ error: CallError) {
    let known = APIError(rawValue: error.name).map(Self.status)
    status = known ?? (error.status == .temporary || error.status == .unreachable ? 503 : 500)
    reason = error.message
    if status == 503 { fields = [("Retry-After", "1")] }
  }

  static func notFound(_ path: String) -> AdminRefusal {
    AdminRefusal(404, "there is no \(path.prefix(128)); podctl-admin(8) lists what there is")
  }

  private static func status(_ error: APIError) -> Int {
    switch error {
    case .invalidUser, .invalidPeer: 400
    case .noSuchUser, .noSuchPod, .noSuchTier: 404
    case .userSuspended, .otherTier, .rolloutStopped: 409
    case .storageFull: 507
    case .busy, .launchFailed, .portRangeExhausted, .addressesExhausted: 503
    case .invalidSettings, .storageFailed: 500
    }
  }
}
