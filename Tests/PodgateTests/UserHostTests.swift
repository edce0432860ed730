import HTTPWire
import PodModel
import Testing

@testable import PodgateCore

@Suite("Host names of users")
struct UserHostTests {
  private func isAtHost(_ field: String, _ user: String, _ setting: String = "${LABEL}") throws -> Bool {
    let lines = ["GET /auth HTTP/1.1", "Host: podgate", "X-Method: GET", "X-Uri: /", "X-User-Host: \(field)"]
    var parser = HeadParser()
    let request = try AuthRequest(
      try #require(try parser.parse(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8).span)).head)
    return try request.isAtHost(of: UserName(validating: user), UserOfHost(setting))
  }

  @Test(arguments: [
    ("*.example.com alice.example.com", "alice", "${LABEL}"),
    ("*.pods.example.com alice.pods.example.com", "alice@example.com", "${LABEL}@example.com"),
    ("*.example.com 7.example.com", "user-7", "user-${LABEL}"), ("*.a 0.a", "0", "${LABEL}"),
  ])
  func theHostIsTheUsersOwn(field: String, user: String, setting: String) throws {
    #expect(try isAtHost(field, user, setting))
    #expect(try !isAtHost(field, "x\(user)", setting))
  }

  @Test(arguments: [
    "*.example.com bob.example.com", "*.example.com a.alice.example.com", "*.example.com alice.a.example.com",
    "*.example.com .example.com", "*.example.com example.com", "*.example.com alice.example.org",
    "*.example.com alicexexample.com", "alice.example.com alice.example.com",
    ".example.com alice.example.com",
    "* alice", "*alice alice", "_ alice.example.com", "*.example.com alice",
    "*.example.com alice.example.com.",
    "*.example.com -alice.example.com",
  ])
  func anotherHostIsNot(field: String) throws {
    #expect(try !isAtHost(field, "alice"))
  }

  @Test(arguments: ["*.example.com", "a b c", "*.example.com  alice.example.com"])
  func whatNginxDoesNotSendIsRefused(field: String) {
    #expect(throws: HTTPError.self) { try isAtHost(field, "alice") }
  }
}
