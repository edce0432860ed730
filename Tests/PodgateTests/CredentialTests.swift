import HTTPWire
import Testing

@testable import PodgateCore

@Suite("The token of a request, from a program or from a browser")
struct CredentialTests {
  private func request(_ fields: [String]) throws -> AuthRequest {
    let lines = ["GET /auth HTTP/1.1", "Host: podgate", "X-Method: GET", "X-Uri: /api/"] + fields
    var parser = HeadParser()
    return try AuthRequest(
      try #require(try parser.parse(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8).span)).head)
  }

  @Test(arguments: [
    (["Authorization: Bearer t"], false), (["Cookie: token=t"], true), (["Cookie: a=b; token=t; c=d"], true),
    (["Cookie:  token = t"], true), (["X-Subprotocols: podctl.bearer.t"], true),
    (["X-Subprotocols: chat,podctl.bearer.t ,podctl"], true),
    (["Authorization: Bearer t", "Cookie: a=b", "X-Subprotocols: chat"], false),
  ])
  func oneTokenIsTaken(fields: [String], isOfBrowser: Bool) throws {
    let credential = try Credential(of: request(fields), cookieName: "token")
    #expect(Array(credential.token) == Array("t".utf8))
    #expect(credential.isOfBrowser == isOfBrowser)
  }

  @Test(arguments: [
    ["Authorization: Bearer t", "Cookie: token=t"], ["Cookie: token=t; token=t"],
    ["Authorization: Bearer t", "X-Subprotocols: podctl.bearer.t"],
    ["Cookie: token=t", "X-Subprotocols: podctl.bearer.u"],
    ["X-Subprotocols: podctl.bearer.t, podctl.bearer.t"],
  ])
  func twoTokensAreRefused(fields: [String]) {
    #expect(throws: Credential.Failure.several) { try Credential(of: request(fields), cookieName: "token") }
  }

  @Test(arguments: [
    [], ["Cookie: Token=t"], ["Cookie: xtoken=t; token"], ["X-Subprotocols: podctl.bearer, Podctl.Bearer.t"],
    ["Authorization: Basic t", "Cookie: token=t"], ["Cookie: a=token=t"],
  ])
  func othersAreNoTokens(fields: [String]) {
    #expect(throws: Credential.Failure.none) { try Credential(of: request(fields), cookieName: "token") }
  }

  @Test func aCookieIsATokenOnlyWhereTheSettingsSaySo() {
    #expect(throws: Credential.Failure.none) {
      try Credential(of: request(["Cookie: =t; token=t"]), cookieName: nil)
    }
  }

  // MARK: What the pod gets

  private func admitted(_ fields: [String]) throws -> String {
    let fields = try #require(AdmittedFields(request(fields), cookieName: "token"))
    var bytes: [UInt8] = []
    fields.append(to: &bytes)
    #expect(bytes.count <= fields.count)
    return String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "|")
  }

  @Test(arguments: [
    ([], ""), (["Cookie: token=t"], ""), (["Cookie: a=b;c=d ;; e"], "X-Cookie: a=b;c=d ;; e|"),
    (["Cookie: a=b;token=t; token = u ;c=d"], "X-Cookie: a=b; c=d|"),
    (["Cookie: Token=t; tokens=u; a=\"token=x\""], "X-Cookie: Token=t; tokens=u; a=\"token=x\"|"),
    (["X-Subprotocols: podctl.bearer.t"], ""),
    (["X-Subprotocols: chat , podctl.bearer.t,, superchat"], "X-Subprotocols: chat, superchat|"),
    (["X-Subprotocols: podctl, podctl.bearer.t"], "X-Subprotocol: podctl|"),
    (
      ["Cookie: token=t; a=b", "X-Subprotocols: podctl, podctl.bearer.t, v2"],
      "X-Cookie: a=b|X-Subprotocols: v2|X-Subprotocol: podctl|"
    ),
  ])
  func thePodGetsEverythingButTheToken(fields: [String], wanted: String) throws {
    #expect(try admitted(fields) == wanted)
  }

  @Test func whatNginxHasNoRoomForIsRefused() throws {
    let long = String(repeating: "x", count: AdmittedFields.most)
    #expect(AdmittedFields(try request(["Cookie: \(long)"]), cookieName: nil) != nil)
    #expect(AdmittedFields(try request(["Cookie: \(long)x"]), cookieName: nil) == nil)
    #expect(AdmittedFields(try request(["Cookie: \(long)", "X-Subprotocols: v2"]), cookieName: nil) == nil)
    // A token does not go on.
    #expect(AdmittedFields(try request(["Cookie: token=\(long)"]), cookieName: "token") != nil)
  }

  // MARK: Pages

  @Test(arguments: [
    ["Origin: https://app.example.com"], ["Origin: https://example.com:8443"],
    ["X-Site: same-origin", "X-Host: APP.example.com"], ["X-Site: same-origin", "X-Host: example.com:8443"],
    ["Origin: https://app.example.com", "X-Site: cross-site", "X-Host: other"],
  ])
  func aPageThatIsAllowed(fields: [String]) throws {
    let pages = AllowedPages(["https://app.example.com", "https://example.com:8443"])
    #expect(pages.sent(try request(fields)))
  }

  @Test(arguments: [
    [], ["Origin: null"], ["Origin: http://app.example.com"], ["Origin: https://app.example.com.evil.org"],
    ["Origin: https://evil.org", "X-Site: same-origin", "X-Host: app.example.com"],
    ["X-Site: same-site", "X-Host: app.example.com"], ["X-Site: none", "X-Host: app.example.com"],
    ["X-Host: app.example.com"], ["X-Site: same-origin"], ["X-Site: same-origin", "X-Host: example.com"],
    ["X-Site: same-origin", "X-Host: evil.org"], ["Origin: https://app.example.com, https://evil.org"],
  ])
  func anotherPage(fields: [String]) throws {
    let pages = AllowedPages(["https://app.example.com", "https://example.com:8443"])
    #expect(!pages.sent(try request(fields)))
    #expect(!AllowedPages([]).sent(try request(fields)))
  }
}
