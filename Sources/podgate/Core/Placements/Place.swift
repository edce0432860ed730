import PodAPI
import TokenCheck

/// What podgate knows of a user, as podd said last.
enum Standing {
  case active(Place)
  case suspended
  /// podd has no such user.
  case unknown
}

/// Where an active user's requests go, and what they may do there. There are many of them, so what users have in common
/// is in ``KnownPod`` and ``TierRules``.
struct Place {
  private let token: KeptToken
  let pod: KnownPod
  let rules: TierRules
  /// How many more bytes the user may store, when podd counted last; the largest number if there is no limit or no count.
  private let room: UInt64

  /// Whether a request that stores something can be served, as far as podgate knows. A body that is larger than all that
  /// the user may have never can.
  func hasRoom(forBody length: UInt64?) -> Bool { room != 0 && length ?? 0 <= rules.dataMax }

  /// The head of the answer that admits a user's request, without its end.
  func admission(of user: String) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(pod.admission.count + token.count + user.utf8.count + 16)
    bytes += pod.admission
    token.append(to: &bytes)
    bytes += "\r\nX-User: ".utf8
    bytes += user.utf8
    bytes += "\r\n".utf8
    return bytes
  }

  /// - Parameter rules: What the tier and its workload say; many users share it.
  init?(_ user: ResolvedUser, pod: KnownPod, rules: TierRules) {
    guard let token = user.token else { return nil }
    self.token = KeptToken(token)
    self.pod = pod
    self.rules = rules
    room = user.dataMax.flatMap { most in user.dataBytes.map { most > $0 ? most - $0 : 0 } } ?? .max
  }
}

/// A pod and the state of which podd told last. All of its users share it.
final class KnownPod {
  let name: String
  /// `ADDRESS:PORT`.
  private(set) var address: String
  private var frontAddress: String
  /// The beginning of the answer that admits a request, until the user's token: it is the same for all users of the pod.
  private(set) var admission: [UInt8] = []
  var state: String
  /// Counts the states that podd has told of any pod: a reply that was asked for before must not replace this one.
  var toldAt: UInt64

  init(name: String, address: String, frontAddress: String, state: String, toldAt: UInt64) {
    self.name = name
    self.address = address
    self.frontAddress = frontAddress
    self.state = state
    self.toldAt = toldAt
    admission = rendered
  }

  /// podd has said again where the pod is.
  func isAt(_ address: String, front: String) {
    guard address != self.address || front != frontAddress else { return }
    (self.address, frontAddress) = (address, front)
    admission = rendered
  }

  private var rendered: [UInt8] {
    Array(
      """
      HTTP/1.1 200 OK\r
      Content-Length: 0\r
      X-Pod: \(address)\r
      X-Front: \(frontAddress)\r
      X-Token:\u{20}
      """.utf8)
  }

  /// Whether a connection would wake the pod or find it awake. One that an administrator stopped, or that crashes again
  /// and again, stays as it is until somebody acts.
  var answers: Bool { state != "stopped" && state != "crash-loop" }
}

/// What all users of a tier may do.
final class TierRules {
  /// Nil: any number of requests.
  let rate: RequestRate?
  /// 0: any number at the same time.
  let connectionsMax: UInt32
  /// How many bytes a user may have.
  let dataMax: UInt64
  private let reserved: [CanonicalPath]
  private let texts: [String]

  init(_ user: ResolvedUser) {
    rate = RequestRate(count: user.requestCount, period: user.requestInterval, burst: user.requestBurst)
    connectionsMax = user.connectionsMax
    dataMax = user.dataMax ?? .max
    texts = user.reservedPaths
    reserved = texts.compactMap { try? CanonicalPath(target: Array($0.utf8).span) }
  }

  /// Whether the workload keeps the path for the host.
  func reserves(_ path: CanonicalPath) -> Bool { reserved.contains { path.begins(with: $0) } }

  func isSame(as other: TierRules) -> Bool {
    rate == other.rate && connectionsMax == other.connectionsMax && dataMax == other.dataMax
      && texts == other.texts
  }
}
