import HTTPWire
import PodAPI
import PodModel
import Testing

@testable import PodgateCore

/// What an administrator's request asks for, and how it is refused.
@Suite struct AdminRequestTests {
  private func request(_ line: String, _ body: String = "") throws -> AdminRequest {
    var parser = HeadParser()
    let bytes = Array("\(line) HTTP/1.1\r\nHost: podctl\r\n\r\n".utf8)
    let head = try #require(try parser.parse(bytes.span)).head
    return try AdminRequest(head, body: Array(body.utf8))
  }

  private func user(_ name: String) throws -> UserName { try UserName(validating: name) }

  @Test func eachPathMeansOneThing() throws {
    #expect(try request("GET /api/admin/users") == .listUsers)
    #expect(try request("GET /api/admin/pods?verbose=1") == .listPods)
    #expect(try request("GET /api/admin/status") == .status)
    #expect(try request("GET /api/admin/health-check-all") == .healthOfAll)
    #expect(try request("POST /api/admin/users/bob/suspend") == .suspend(user("bob")))
    #expect(try request("POST /api/admin/users/bob/resume") == .resume(user("bob")))
    #expect(try request("DELETE /api/admin/users/bob") == .deprovision(user("bob"), purge: false))
    #expect(try request("DELETE /api/admin/users/bob?purge=true") == .deprovision(user("bob"), purge: true))
    #expect(
      try request("POST /api/admin/provision/alice@example.com")
        == .provision(user("alice@example.com"), tier: nil, cold: false))
    #expect(
      try request("POST /api/admin/provision/Alice%40example.com", #"{"tier":"pro","cold":true}"#)
        == .provision(user("alice@example.com"), tier: "pro", cold: true))
    // A plus sign in a path is a plus sign.
    #expect(
      try request("POST /api/admin/provision/a+b%2Bc") == .provision(user("a+b+c"), tier: nil, cold: false))
  }

  @Test(arguments: [
    ("GET /", 404), ("GET /api/admin", 404), ("GET /api/admin/", 404), ("GET //api/admin/users", 404),
    ("GET /api/admin/users/", 400), ("GET /api/admin/users/bob", 405),
    ("GET /api/admin/users/bob/suspend", 405),
    ("POST /api/admin/users/bob/delete", 404), ("POST /api/admin/users", 405), ("HEAD /api/admin/users", 405),
    ("POST /api/admin/users/bob/suspend/", 404), ("POST /api/admin/provision/..", 400),
    ("POST /api/admin/provision/a%2Fb", 400), ("POST /api/admin/provision/%", 400),
    ("POST /api/admin/provision/a%00", 400), ("POST /api/admin/provision/%FF", 400),
    ("DELETE /api/admin/users/bob?purge=yes", 400),
    ("DELETE /api/admin/users/bob?purge=true&purge=false", 400),
  ])
  func whatIsNotThereIsRefused(_ line: String, _ status: Int) throws {
    let refusal = #expect(throws: AdminRefusal.self) { try request(line) }
    #expect(refusal?.status == status)
    #expect(refusal?.fields.contains { $0.name == "Allow" } == (status == 405))
  }

  @Test(arguments: [
    "[]", "x", "{", #"{"tier":""}"#, #"{"tier":1}"#, #"{"cold":"yes"}"#, #"{"tiers":"pro"}"#,
    #"{"tier":"a","tier":"b"}"#, #"{"cold":true} {}"#,
  ])
  func aBodyThatSaysSomethingElseIsRefused(_ body: String) {
    let refusal = #expect(throws: AdminRefusal.self) { try request("POST /api/admin/provision/bob", body) }
    #expect(refusal?.status == 400)
  }

  @Test func aBodyThatNobodyReadsIsRefused() {
    let refusal = #expect(throws: AdminRefusal.self) {
      try request("POST /api/admin/users/bob/suspend", #"{"tier":"pro"}"#)
    }
    #expect(refusal?.status == 400)
    #expect(throws: Never.self) { try request("POST /api/admin/users/bob/suspend", "{}") }
  }

  @Test func aClientThatMayTryAgainIsToldWhen() {
    let busy = AdminRefusal(CallError(name: APIError.busy.name, message: "busy", status: .temporary))
    #expect(busy.status == 503 && busy.fields.contains { $0.name == "Retry-After" })
    let away = AdminRefusal(
      CallError(name: "org.freedesktop.DBus.Error.ServiceUnknown", message: "gone", status: .unreachable))
    #expect(away.status == 503)
    let unknown = AdminRefusal(CallError(name: APIError.noSuchUser.name, message: "no user", status: .failed))
    #expect(unknown.status == 404 && unknown.fields.isEmpty)
    let denied = AdminRefusal(
      CallError(name: "org.freedesktop.DBus.Error.AccessDenied", message: "no", status: .denied))
    #expect(denied.status == 500)
  }
}
