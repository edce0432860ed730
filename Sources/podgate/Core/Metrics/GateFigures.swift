import HTTPWire
import Linux
import OpenMetrics
import Systemd
import Time

/// What podgate counts of its own, from its start on. podgate(8) lists the names.
@LoopActor
final class GateFigures {
  /// What is known and open at the moment.
  struct Now {
    var streams = 0
    var users = 0
    var tokens = 0
    /// Good tokens whose signature was verified, and such as were known.
    var tokensVerified: UInt64 = 0
    var tokensFound: UInt64 = 0
  }

  /// The path at which podgate's socket answers them. nginx never asks for it (front.conf).
  nonisolated static let path = "/metrics"

  var now: @LoopActor () -> Now = { Now() }

  private let startedAt = Clock.wall
  private var answers = Array(repeating: UInt64(0), count: AnswerKind.allCases.count)
  /// Seconds; most answers take some tens of microseconds, and one that has to ask podd some milliseconds.
  private var latency = MetricHistogram(
    bounds: [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.1, 1, 10])

  nonisolated init() {}

  /// An auth request was answered.
  func answered(_ answer: Answer, after time: Microseconds) {
    answers[AnswerKind(answer).rawValue] += 1
    latency.observe(time.seconds)
  }

  var families: [MetricFamily] {
    let now = now()
    var start = MetricFamily(
      "podgate_start_time_seconds", .gauge, unit: "seconds",
      "When podgate started, in seconds since the epoch.")
    start.add(startedAt.sinceEpoch.seconds)
    var requests = MetricFamily(
      "podgate_requests", .counter, "Decided requests by the status and the reason that the client gets.")
    for kind in AnswerKind.allCases {
      requests.add(answers[kind.rawValue], [("status", kind.status), ("reason", kind.reason)])
    }
    var decision = MetricFamily(
      "podgate_authorisation_seconds", .histogram, unit: "seconds",
      "From an auth request to its answer; an answer may have to wait for podd.")
    decision.add(latency)
    var tokens = MetricFamily(
      "podgate_tokens", .counter, "Good tokens, by whether the signature was verified or the token was known."
    )
    tokens.add(now.tokensVerified, [("found", "verified")])
    tokens.add(now.tokensFound, [("found", "cached")])
    var streams = MetricFamily("podgate_open_streams", .gauge, "Open WebSockets and event streams.")
    streams.add(now.streams)
    var users = MetricFamily("podgate_known_users", .gauge, "Users of whom podgate remembers what podd said.")
    users.add(now.users)
    var known = MetricFamily("podgate_known_tokens", .gauge, "Tokens that podgate remembers.")
    known.add(now.tokens)
    return [start, requests, decision, tokens, streams, users, known]
  }

  /// The HTTP response with all of it.
  var response: [UInt8] { MetricsResponse.whole(families) }
}

/// What an answer is, as far as it is counted: a fixed number of kinds.
enum AnswerKind: Int, CaseIterable {
  case admitted, noToken, invalidToken, notUnderstood, noAccess, tooLarge, targetTooLong, rate, unavailable,
    dataLimit,
    other

  init(_ answer: Answer) {
    switch answer {
    case .admit: self = .admitted
    case .unauthenticated(.noToken): self = .noToken
    case .unauthenticated(.invalidToken): self = .invalidToken
    case .refuse(let status, _, _): self = Self.allCases.first { $0.status == "\(status)" } ?? .other
    }
  }

  var status: String {
    switch self {
    case .admitted: "200"
    case .noToken, .invalidToken: "401"
    case .notUnderstood: "400"
    case .noAccess: "403"
    case .tooLarge: "413"
    case .targetTooLong: "414"
    case .rate: "429"
    case .unavailable: "503"
    case .dataLimit: "507"
    case .other: "other"
    }
  }

  var reason: String {
    switch self {
    case .admitted: "admitted"
    case .noToken: "no-token"
    case .invalidToken: "invalid-token"
    case .notUnderstood: "not-understood"
    case .noAccess: "no-access"
    case .tooLarge: "too-large"
    case .targetTooLong: "target-too-long"
    case .rate: "rate"
    case .unavailable: "unavailable"
    case .dataLimit: "data-limit"
    case .other: "other"
    }
  }
}
