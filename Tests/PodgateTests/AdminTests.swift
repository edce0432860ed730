import Testing
import TokenCheck

@testable import PodgateCore

/// A whole request over a real socket, up to where podd would be called.
@Suite(.timeLimit(.minutes(5))) struct AdminTests {
  private static let secret = "0123456789abcdef0123456789abcdef"

  private func exchange(_ text: String, key: String? = secret) throws -> String {
    try PodgateTests.exchange(text) {
      Admin(key: key.map { ExpectedSecret(Array($0.utf8).span) }, connection: $0).serve()
    }
  }

  private func get(_ path: String, _ fields: String...) -> String {
    "GET \(path) HTTP/1.1\r\nHost: podctl\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
  }

  @Test func withoutTheKeyNothingIsSaid() throws {
    for fields in [[], ["X-Admin-API-Key: "], ["X-Admin-API-Key: \(Self.secret.dropLast())"]] {
      let answer = try exchange(
        "GET /nowhere HTTP/1.1\r\nHost: podctl\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n")
      #expect(answer.hasPrefix("HTTP/1.1 401 "))
      #expect(answer.contains("WWW-Authenticate: X-Admin-API-Key"))
      #expect(!answer.contains("nowhere"))
    }
  }

  @Test func twoKeysAreNoKey() throws {
    let field = "X-Admin-API-Key: \(Self.secret)"
    #expect(try exchange(get("/nowhere", field, field)).hasPrefix("HTTP/1.1 400 "))
  }

  @Test func aHostWithoutAKeyServesNobody() throws {
    let answer = try exchange(get("/api/admin/users", "X-Admin-API-Key: \(Self.secret)"), key: nil)
    #expect(answer.hasPrefix("HTTP/1.1 503 "))
  }

  @Test func withTheKeyARefusalSaysWhy() throws {
    let answer = try exchange(get("/nowhere", "x-admin-api-key: \(Self.secret)"))
    #expect(answer.hasPrefix("HTTP/1.1 404 "))
    #expect(answer.contains("Content-Type: application/json\r\n") && answer.contains("Connection: close\r\n"))
    #expect(answer.contains(#"{"success":false,"error":"there is no /nowhere;"#))
  }

  @Test func whatIsCutOrTooLargeIsRefused() throws {
    #expect(try exchange("") == "")
    #expect(try exchange("GET / HT").hasPrefix("HTTP/1.1 400 "))
    #expect(try exchange("nonsense\r\n\r\n").hasPrefix("HTTP/1.1 400 "))
    let key = "X-Admin-API-Key: \(Self.secret)"
    let post = "POST /api/admin/provision/a HTTP/1.1\r\nHost: podctl\r\n\(key)\r\n"
    #expect(try exchange(post + "Content-Length: 9\r\n\r\n{}").hasPrefix("HTTP/1.1 400 "))
    let large = String(repeating: " ", count: 20_000)
    #expect(
      try exchange(post + "Content-Length: \(large.utf8.count)\r\n\r\n" + large).hasPrefix("HTTP/1.1 413 "))
    #expect(
      try exchange(post + "Transfer-Encoding: chunked\r\n\r\n4e20\r\n\(large)\r\n0\r\n\r\n")
        .hasPrefix("HTTP/1.1 413 "))
  }

  @Test func aClientThatWaitsIsAskedForTheBody() throws {
    // It leaves then, so that the body is incomplete.
    let answer = try exchange(
      "POST /api/admin/provision/a HTTP/1.1\r\nHost: podctl\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    )
    #expect(answer.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400 "))
  }
}
