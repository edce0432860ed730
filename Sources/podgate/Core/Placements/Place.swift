import PodAPI
import TokenCheck

/// What podgate knows of a user, as podd said last.
enum Standing {
  case active(Place)
  case suspended
  /// podd has no such user.
  case unknown
}

/// Where an active user's requests go, and what they may do there.
struct Place {
  /// The head of the answer that admits a request, without its end: it is the same for each request of the user.
  let admission: [UInt8]
  let pod: KnownPod
  let rules: TierRules
  /// How many more bytes the user may store, when podd counted last; nil if there is no limit or no count.
  private let room: UInt64?
  private let dataMax: UInt64

  /// Whether a request that stores something can be served, as far as podgate knows. A body that is larger than all that
  /// the user may have never can.
  func hasRoom(forBody length: UInt64?) -> Bool { room != 0 && length ?? 0 <= dataMax }

  /// - Parameter rules: What the tier and its workload say; many users share it.
  init?(_ user: ResolvedUser, pod: KnownPod, rules: TierRules) {
    guard let token = user.token else { return nil }
    self.pod = pod
    self.rules = rules
    dataMax = user.dataMax ?? .max
    room = user.dataMax.flatMap { most in user.dataBytes.map { most > $0 ? most - $0 : 0 } }
    admission = Array(
      """
      HTTP/1.1 200 OK\r
      Content-Length: 0\r
      X-Pod: \(pod.address)\r
      X-Front: \(user.frontAddress)\r
      X-Token: \(token)\r
      X-User: \(user.user)\r

      """.utf8)
  }
}

/// A pod and the state of which podd told last. All of its users share it.
final class KnownPod {
  let name: String
  /// `ADDRESS:PORT`.
  var address: String
  var state: String
  /// Counts the states that podd has told of any pod: a reply that was asked for before must not replace this one.
  var toldAt: UInt64

  init(name: String, address: String, state: String, toldAt: UInt64) {
    self.name = name
    self.address = address
    self.state = state
    self.toldAt = toldAt
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
  private let reserved: [CanonicalPath]
  private let texts: [String]

  init(_ user: ResolvedUser) {
    rate = RequestRate(count: user.requestCount, period: user.requestInterval, burst: user.requestBurst)
    connectionsMax = user.connectionsMax
    texts = user.reservedPaths
    reserved = texts.compactMap { try? CanonicalPath(target: Array($0.utf8).span) }
  }

  /// Whether the workload keeps the path for the host.
  func reserves(_ path: CanonicalPath) -> Bool { reserved.contains { path.begins(with: $0) } }

  func isSame(as other: TierRules) -> Bool {
    rate == other.rate && connectionsMax == other.connectionsMax && texts == other.texts
  }
}
