import HTTPWire
import PodAPI
import Testing
import Time

@testable import PodgateCore

@Suite("What nginx and podgate say to each other")
struct AnswerTests {
  private func request(_ fields: String...) throws -> AuthRequest {
    let lines = ["GET /auth HTTP/1.1", "Host: podgate"] + fields
    let bytes = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
    var parser = HeadParser()
    let head = try #require(try parser.parse(bytes.span)).head
    return try AuthRequest(head)
  }

  private func text(_ answer: Answer, closes: Bool = false) -> String {
    String(decoding: answer.serialized(closes: closes), as: UTF8.self)
  }

  @Test func theRequestIsTakenFromTheFields() throws {
    let request = try request(
      "X-Method: POST", "X-Uri: /api/v2/insert?p=a", "X-Length: 12", "X-Peer: [::1]:4711",
      "X-Stream: _stream",
      "Authorization: bEARER a.b.c")
    #expect(request.bearer.map(Array.init) == Array("a.b.c".utf8))
    #expect(request.target.elementsEqual("/api/v2/insert?p=a".utf8))
    #expect(
      (request.bodyLength, request.peer, request.isStream, request.writes) == (12, "[::1]:4711", true, true))
    let plain = try self.request("X-Method: GET", "X-Uri: /")
    #expect((plain.bodyLength, plain.peer, plain.isStream, plain.writes) == (nil, "", false, false))
    #expect(plain.bearer == nil)
  }

  @Test(arguments: [
    "Bearer", "Bearer ", "Basic abc", "Bearerabc", "BEARER\u{20}", "Digest Bearer abc",
  ])
  func anotherSchemeIsNoToken(value: String) throws {
    #expect(try request("X-Method: GET", "X-Uri: /", "Authorization: \(value)").bearer == nil)
  }

  @Test(arguments: [
    ["X-Uri: /"], ["X-Method: GET"], ["X-Method: GET", "X-Uri: /", "X-Uri: /"],
    ["X-Method: GET", "X-Uri: /", "Authorization: Bearer a", "Authorization: Bearer b"],
    ["X-Method: GET", "X-Uri: /", "X-Length: -1"],
    ["X-Method: GET", "X-Uri: /", "X-Length: 99999999999999999999"],
  ])
  func whatNginxDoesNotSendIsRefused(fields: [String]) {
    #expect(throws: HTTPError.self) {
      let lines = (["GET /auth HTTP/1.1", "Host: podgate"] + fields).joined(separator: "\r\n") + "\r\n\r\n"
      var parser = HeadParser()
      _ = try AuthRequest(try #require(try parser.parse(Array(lines.utf8).span)).head)
    }
  }

  /// nginx uses a connection again only when the answer has no body and says so (nginx ticket 1579).
  @Test func noAnswerHasABody() {
    let answers: [Answer] = [
      .unauthenticated(.noToken), .unauthenticated(.invalidToken("it is old")),
      .refuse(status: 403, reason: "no access"),
      .refuse(status: 429, reason: "too many requests", retryAfter: .seconds(2)),
    ]
    for answer in answers {
      #expect(text(answer).contains("\r\nContent-Length: 0\r\n"))
      #expect(text(answer).hasSuffix("\r\n\r\n"))
    }
    #expect(text(answers[0]).hasPrefix("HTTP/1.1 401 "))
    #expect(text(answers[1]).contains("error=\"invalid_token\", error_description=\"it is old\""))
    #expect(text(answers[2]).contains("\r\nX-Gate-Status: 403\r\nX-Gate-Reason: no access\r\n"))
    #expect(text(answers[3], closes: true).contains("\r\nX-Gate-Retry: 2\r\nConnection: close\r\n"))
  }

  @Test(arguments: [(0, "1"), (1, "1"), (1_000_000, "1"), (1_000_001, "2"), (30_000_000, "30")])
  func whoComesBackAfterTheSecondsIsServed(microseconds: UInt64, seconds: String) {
    let answer = Answer.refuse(
      status: 429, reason: "too many requests", retryAfter: Microseconds(microseconds))
    #expect(text(answer).contains("X-Gate-Retry: \(seconds)\r\n"))
  }

  @Test func aTicketIsReadAsItWasWritten() {
    for (place, serial) in [(0, 0), (9, 10), (65_535, 1_234_567_890), (7, UInt64.max)] {
      var bytes: [UInt8] = Array("X-Ticket: ".utf8)
      Ticket(place: place, serial: serial).append(to: &bytes)
      #expect(String(decoding: bytes, as: UTF8.self) == "X-Ticket: \(place)-\(serial)")
      #expect(Ticket(bytes.dropFirst(10)) == Ticket(place: place, serial: serial))
    }
  }

  @Test func theLogOfAnEndedRequestIsRead() throws {
    let line = "<190>Nov 30 01:02:03 nginx: 12-4711\t101\t57\t3.000"
    func parsed(_ line: String) -> AccessLog.Line? { AccessLog.parse(Array(line.utf8)[...]) }
    #expect(parsed(line) == AccessLog.Line(ticket: Ticket(place: 12, serial: 4711), time: .seconds(3)))
    #expect(parsed("<190> 1-1\t200\t5\t0.007")?.time == .milliseconds(7))
    // The request has ended all the same.
    for time in ["", "7", "-", "1.5", "-1.000", "1.0000", "1.00x", ".001", "99999999999.000"] {
      #expect(
        parsed("<190> 1-1\t200\t5\t\(time)") == AccessLog.Line(ticket: Ticket(place: 1, serial: 1), time: nil)
      )
    }
    for broken in [
      "", "1-1", "<190> 1-1\t1\t2", "\t\t\t", "<190> \t1\t2\t3", "<190> 1\t1\t2\t3", "<190> -1\t1\t2\t3",
    ] {
      #expect(AccessLog.parse(Array(broken.utf8)[...]) == nil)
    }
  }
}
