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
  let streams: Streams
  private let nginx: CInt
  private var connection: AuthConnection?

  init(_ settings: GateSettings = GateSettings(), users: [ResolvedUser] = [Gate.alice]) throws {
    let placements = Placements(
      isPresent: { true },
      resolve: { user throws(BusError) in
        guard let found = users.first(where: { $0.user == user }) else {
          throw BusError(name: APIError.noSuchUser.rawValue, message: "no such user")
        }
        return found
      })
    streams = Streams { _ in }
    gatekeeper = Gatekeeper(placements: placements, streams: streams)
    gatekeeper.configuration = GateConfiguration(settings: settings, verifier: try Gate.verifier())
    var ends: [CInt] = [0, 0]
    try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
    nginx = ends[0]
    connection = try AuthConnection(
      ends[1], judge: { [gatekeeper] in gatekeeper.judge($0, $1) }, onEnd: { _ in })
  }

  deinit { close(nginx) }

  /// The head of the answer to an auth request for `GET /api/`.
  func ask(_ fields: [String]) async -> String {
    let lines = ["GET /auth HTTP/1.1", "Host: podgate", "X-Method: GET", "X-Uri: /api/"] + fields
    let bytes = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    _ = send(nginx, bytes, bytes.count, 0)
    var answer: [UInt8] = []
    while !answer.suffix(4).elementsEqual("\r\n\r\n".utf8) {
      var part = [UInt8](repeating: 0, count: 32_768)
      let count = recv(nginx, &part, part.count, CInt(MSG_DONTWAIT))
      if count > 0 { answer += part[..<count] } else { await EventLoop.main.sleep(.milliseconds(1)) }
    }
    return String(decoding: answer, as: UTF8.self)
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
          let refused = await gate.ask([field] + origin)
          #expect(refused.contains("\r\nX-Gate-Status: 403\r\n") && refused.contains("AllowedOrigins="))
          #expect(!refused.contains("secret"))
        }
        let admitted = await gate.ask([field, "Origin: https://app.example.com"])
        #expect(admitted.hasPrefix("HTTP/1.1 200 ") && admitted.contains("\r\nX-User: alice\r\n"))
        #expect(!admitted.contains(token))
      }
      // A program says what it means.
      let bearer = await gate.ask(["Authorization: Bearer \(token)", "Origin: https://evil.org"])
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
        #expect(await gate.ask(fields + [origin]).contains("\r\nX-Gate-Status: 400\r\n"))
      }
      // A bad one is no better there than elsewhere.
      #expect(await gate.ask(["Cookie: token=x", origin]).hasPrefix("HTTP/1.1 401 "))
    }
  }

  @Test func thePodGetsTheOtherCookies() async throws {
    let (token, settings) = (try Gate.token(), browsers())
    try await onLoop {
      let gate = try Gate(settings)
      let answer = await gate.ask([
        "Cookie: a=b; token=\(token)", "X-Subprotocols: podctl, chat", "Origin: https://app.example.com",
      ])
      #expect(
        answer.hasSuffix(
          "X-User: alice\r\nX-Cookie: a=b\r\nX-Subprotocols: chat\r\nX-Subprotocol: podctl\r\n\r\n"))
      let plain = await gate.ask(["Authorization: Bearer \(token)"])
      #expect(plain.hasSuffix("X-User: alice\r\n\r\n"))
    }
  }
}
