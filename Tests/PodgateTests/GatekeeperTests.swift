import Glibc
import LoopThread
import PodAPI
import PodModel
import Systemd
import Testing
import Time
import TokenCheck

@testable import PodgateCore

/// A gatekeeper with one of nginx's connections, and a podd that knows alice.
@LoopActor
private final class Gate {
  let gatekeeper: Gatekeeper
  private let admissions: Admissions
  private var connections: [AuthConnection] = []
  private let watching: ConnectionSet

  init(_ settings: GateSettings = GateSettings(), users: [ResolvedUser] = [Gate.alice]) throws {
    let placements = Placements(
      isPresent: { true },
      resolve: { user throws(BusError) in
        guard let found = users.first(where: { $0.user == user }) else {
          throw BusError(name: APIError.noSuchUser.rawValue, message: "no such user")
        }
        return found
      })
    watching = try ConnectionSet()
    admissions = Admissions(nil, ClientConnections(close: { _ in }, find: { $0 }))
    gatekeeper = Gatekeeper(placements: placements, admissions: admissions)
    gatekeeper.configuration = GateConfiguration(settings: settings, verifier: try Gate.verifier())
  }

  /// nginx's end of a new connection.
  private func connect() throws -> CInt {
    var ends: [CInt] = [0, 0]
    try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
    connections.append(
      try AuthConnection(
        ends[1], in: watching, figures: GateFigures(), judge: { [gatekeeper] in gatekeeper.judge($0, $1) },
        onEnd: { _ in })
    )
    return ends[0]
  }

  /// Sends an auth request for `GET /api/`.
  private func request(_ fields: [String], _ nginx: CInt) {
    let lines = ["GET /auth HTTP/1.1", "Host: podgate", "X-Method: GET", "X-Uri: /api/"] + fields
    let bytes = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    _ = send(nginx, bytes, bytes.count, 0)
  }

  /// The head of the answer.
  func ask(_ fields: [String]) async throws -> String {
    let nginx = try connect()
    defer { close(nginx) }
    request(fields, nginx)
    var answer: [UInt8] = []
    while !answer.suffix(4).elementsEqual("\r\n\r\n".utf8) {
      var part = [UInt8](repeating: 0, count: 32_768)
      let count = recv(nginx, &part, part.count, CInt(MSG_DONTWAIT))
      if count > 0 { answer += part[..<count] } else { await EventLoop.main.sleep(.milliseconds(1)) }
    }
    return String(decoding: answer, as: UTF8.self)
  }

  /// The client leaves while podgate asks podd.
  func leave(_ fields: [String]) throws {
    let nginx = try connect()
    request(fields, nginx)
    close(nginx)
  }

  /// nginx logs the end of the request.
  func ended(_ answer: String) throws {
    let field = try #require(answer.split(separator: "\r\n").first { $0.hasPrefix("X-Ticket: ") })
    admissions.close(try #require(Ticket(Array(field.utf8.dropFirst(10))[...])))
  }

  static var alice: ResolvedUser {
    ResolvedUser(
      user: "alice", status: "active", pod: "pod-001", state: "ready", address: "127.77.0.1",
      frontAddress: "127.76.0.1", port: 10001, token: "secret", tier: "free", dataBytes: 0, dataMax: 1000)
  }

  nonisolated static func verifier() throws -> TokenVerifier {
    let keys = #"{"keys":[{"kty":"oct","alg":"HS256","k":"\#(String(repeating: "A", count: 43))"}]}"#
    return TokenVerifier(keys: try KeySet(jwkSet: Array(keys.utf8), file: "keys.json"))
  }

  nonisolated static func token(_ user: String = "alice") throws -> String {
    try verifier().sign(for: UserName(validating: user), now: Clock.wall, lifetime: .hours(1))
  }
}

@Suite("What podgate says to a request", .serialized)
struct GatekeeperTests {
  private func browsers() -> GateSettings {
    var settings = GateSettings()
    settings.tokenCookie = "token"
    settings.allowedOrigins = ["https://app.example.com"]
    return settings
  }

  @Test func aTokenOfABrowserNeedsAPageThatIsAllowed() async throws {
    let (token, settings) = (try Gate.token(), browsers())
    try await onLoop {
      let gate = try Gate(settings)
      for field in ["Cookie: token=\(token)", "X-Subprotocols: podctl.bearer.\(token)"] {
        for origin in [["Origin: https://evil.org"], ["Origin: null"], []] {
          let refused = try await gate.ask([field] + origin)
          #expect(refused.contains("\r\nX-Gate-Status: 403\r\n") && refused.contains("AllowedOrigins="))
          #expect(!refused.contains("secret"))
        }
        let admitted = try await gate.ask([field, "Origin: https://app.example.com"])
        #expect(admitted.hasPrefix("HTTP/1.1 200 ") && admitted.contains("\r\nX-User: alice\r\n"))
        #expect(!admitted.contains(token))
      }
      // A program says what it means.
      let bearer = try await gate.ask(["Authorization: Bearer \(token)", "Origin: https://evil.org"])
      #expect(bearer.hasPrefix("HTTP/1.1 200 "))
    }
  }

  @Test func twoTokensAreOneTooMany() async throws {
    let (token, settings) = (try Gate.token(), browsers())
    try await onLoop {
      let gate = try Gate(settings)
      let origin = "Origin: https://app.example.com"
      let cookie = "Cookie: token=\(token)"
      for fields in [
        ["Authorization: Bearer \(token)", cookie], [cookie, "X-Subprotocols: podctl.bearer.\(token)"],
        ["\(cookie); token=x"],
      ] {
        #expect(try await gate.ask(fields + [origin]).contains("\r\nX-Gate-Status: 400\r\n"))
      }
      // A bad one is no better there than elsewhere.
      #expect(try await gate.ask(["Cookie: token=x", origin]).hasPrefix("HTTP/1.1 401 "))
    }
  }

  @Test func thePodGetsTheOtherCookies() async throws {
    let (token, settings) = (try Gate.token(), browsers())
    try await onLoop {
      let gate = try Gate(settings)
      let answer = try await gate.ask([
        "Cookie: a=b; token=\(token)", "X-Subprotocols: podctl, chat", "Origin: https://app.example.com",
      ])
      #expect(
        answer.hasSuffix(
          "X-Cookie: a=b\r\nX-Subprotocols: chat\r\nX-Subprotocol: podctl\r\n\r\n"))
      let plain = try await gate.ask(["Authorization: Bearer \(token)"])
      #expect(!plain.contains("X-Cookie") && !plain.contains("X-Subprotocol"))
    }
  }
  @Test func aHostNameIsForItsOwnUser() async throws {
    let fields = ["Authorization: Bearer \(try Gate.token())"]
    try await onLoop {
      let gate = try Gate()
      let own = try await gate.ask(fields + ["X-User-Host: *.example.com alice.example.com"])
      #expect(own.hasPrefix("HTTP/1.1 200 "))
      let other = try await gate.ask(fields + ["X-User-Host: *.example.com bob.example.com"])
      #expect(other.contains("\r\nX-Gate-Status: 403\r\n") && !other.contains("secret"))
    }
  }

  @Test func aUserHasAsManyConnectionsAsTheTierAllows() async throws {
    let fields = ["Authorization: Bearer \(try Gate.token())", "X-Peer: 192.0.2.1:4000"]
    try await onLoop {
      var alice = Gate.alice
      alice.connectionsMax = 2
      let gate = try Gate(users: [alice])
      // Nobody gets these answers, so nobody would log an end.
      for _ in 0..<3 { try gate.leave(fields) }
      let first = try await gate.ask(fields)
      let second = try await gate.ask(fields + ["X-Stream: _stream"])
      #expect(first.hasPrefix("HTTP/1.1 200 ") && second.hasPrefix("HTTP/1.1 200 "))
      let third = try await gate.ask(fields)
      #expect(third.contains("\r\nX-Gate-Status: 429\r\nX-Gate-Reason: too many connections at once\r\n"))
      #expect(third.contains("\r\nX-Gate-Retry: 1\r\n"))
      try gate.ended(first)
      #expect(try await gate.ask(fields).hasPrefix("HTTP/1.1 200 "))
      #expect(try await gate.ask(fields).contains("\r\nX-Gate-Status: 429\r\n"))
    }
  }
}
