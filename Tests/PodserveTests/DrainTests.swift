import Glibc
import Testing

@testable import PodserveCore

/// What clients see of a server that was told to end.
@Suite struct DrainTests {
  static let fields = "Host: h\r\nAuthorization: Bearer A\r\n"
  static let version = "GET /api/v2/version HTTP/1.1\r\n\(fields)\r\n"
  static let insert = "POST /api/v2/insert?p=a HTTP/1.1\r\n\(fields)"

  /// A client whose connection is kept after a first answer.
  private func kept(_ harness: Harness) throws -> Client {
    let client = harness.connect()
    client.send(Self.version)
    let response = try #require(client.response())
    try #require(response.head.contains("Connection: keep-alive"))
    return client
  }

  private func expectLast(_ client: Client, status: Int = 200) {
    let response = client.response()
    #expect(response?.status == status && response?.head.contains("Connection: close") == true)
    client.pump()
    #expect(client.isClosed && !client.wasReset)
    client.finishSending()
  }

  @Test func aRequestUnderWayIsFinishedAndItsAnswerIsTheLast() throws {
    let harness = try Harness()
    let (head, body) = (harness.connect(), harness.connect())
    head.send("G")
    body.send(Self.insert + "Content-Length: 5\r\n\r\nhe")
    harness.server.drain()
    harness.clock.now += 19_000
    head.send(String(Self.version.dropFirst()))
    body.send("llo")
    expectLast(head)
    expectLast(body)
    #expect(harness.content(of: "alice/a.phext") == Array("hello".utf8))
    harness.settle()
    #expect(harness.server.isFinished && harness.server.unfinishedCount == 0)
  }

  @Test func aNewConnectionWaitsForTheNextGeneration() throws {
    let harness = try Harness()
    harness.server.drain()
    let next = harness.connect()
    next.send(Self.version)
    next.pump()
    #expect(!next.isClosed && harness.server.isFinished)
  }

  @Test func aCrowdAtTheDoorDoesNotKeepTheServerFromEnding() throws {
    let harness = try Harness()
    var order: [Int32] = [0, 0]
    try #require(pipe(&order) == 0)
    defer { for descriptor in order { close(descriptor) } }
    harness.server.watch(order[0]) { harness.server.drain() }
    let crowd = (0..<60).map { _ in harness.connect() }
    for client in crowd { client.sendAhead(Self.version) }
    try #require(write(order[1], "x", 1) == 1)
    let answered = crowd.filter { $0.response() != nil }
    #expect(!answered.isEmpty && answered.count < crowd.count)
    for client in answered { client.finishSending() }
    harness.settle()
    #expect(harness.server.isFinished)
    #expect(crowd.allSatisfy { !$0.wasReset })
  }

  @Test func aConnectionBetweenTwoRequestsIsToldInItsNextAnswer() throws {
    let harness = try Harness()
    let (client, silent) = (try kept(harness), harness.connect())
    harness.settle()
    harness.server.drain()
    harness.clock.now += 999
    harness.settle()
    client.send(Self.version)
    silent.send(Self.version)
    expectLast(client)
    expectLast(silent)
    harness.settle()
    #expect(harness.server.isFinished)
  }

  @Test func aQuietConnectionIsEndedAfterASecond() throws {
    let harness = try Harness()
    let (quiet, silent) = (try kept(harness), harness.connect())
    harness.settle()
    harness.server.drain()
    harness.clock.now += 999
    quiet.pump()
    #expect(!quiet.isClosed && !harness.server.isFinished)
    harness.clock.now += 1
    quiet.pump()
    silent.pump()
    #expect(quiet.isClosed && !quiet.wasReset && silent.isClosed && !silent.wasReset)
    #expect(harness.server.isFinished && harness.server.unfinishedCount == 0)
  }

  @Test func whoWasPromisedAnotherRequestWhileTheAnswerWentOutHasASecondForIt() throws {
    let harness = try Harness()
    _ = try harness.post("insert?p=big", [UInt8](repeating: 0x78, count: 12_000_000))
    let (asks, quiet) = (harness.connect(), harness.connect())
    for client in [asks, quiet] { client.send("GET /api/v2/select?p=big HTTP/1.1\r\n\(Self.fields)\r\n") }
    harness.server.drain()
    harness.clock.now += 5_000
    for client in [asks, quiet] {
      #expect(client.response()?.head.contains("Connection: keep-alive") == true)
    }
    harness.clock.now += 999
    asks.send(Self.version)
    expectLast(asks)
    harness.clock.now += 1
    quiet.pump()
    #expect(quiet.isClosed && harness.server.isFinished)
  }

  @Test func whatWasSentAheadIsAnswered() throws {
    let harness = try Harness()
    let client = try kept(harness)
    client.sendAhead(Self.version + Self.insert + "Content-Length: 5\r\n\r\nhello" + Self.version)
    harness.server.drain()
    #expect(client.response()?.head.contains("Connection: keep-alive") == true)
    #expect(client.response()?.text == "Inserted 5 bytes")
    expectLast(client)
  }

  @Test func aClientThatAlwaysSendsAheadIsToldAfterASecond() throws {
    let harness = try Harness()
    let client = try kept(harness)
    harness.server.drain()
    harness.clock.now += 1_000
    client.sendAhead(Self.version + Self.version)
    expectLast(client)
    harness.settle()
    #expect(harness.server.isFinished)
  }

  @Test func aRequestSentBeforeTheLastAnswerWasReadDoesNotDestroyIt() throws {
    let harness = try Harness()
    let text = [UInt8](repeating: 0x78, count: 12_000_000)
    _ = try harness.post("insert?p=big", text)
    let client = try kept(harness)
    harness.server.drain()
    client.send("GET /api/v2/select?p=big HTTP/1.1\r\n\(Self.fields)\r\n")
    client.sendAhead(Self.version)
    let response = try #require(client.response())
    #expect(response.head.contains("Connection: close") && response.body == text)
    client.pump()
    #expect(client.isClosed && !client.wasReset)
  }

  @Test func requestsThatComeAllAtOnceAtTheEndOfTheSecondAreAnswered() throws {
    let harness = try Harness()
    var clients: [Client] = []
    for _ in 0..<200 { clients.append(try kept(harness)) }
    harness.server.drain()
    for client in clients { client.sendAhead(Self.version) }
    harness.clock.now += 1_000
    for client in clients { expectLast(client) }
    harness.settle()
    #expect(harness.server.isFinished && harness.server.unfinishedCount == 0)
  }

  @Test func aRequestThatComesTooSlowlyIsRefusedNotCutOff() throws {
    let harness = try Harness()
    let (head, body) = (harness.connect(), harness.connect())
    head.send("GET /")
    body.send(Self.insert + "Content-Length: 5\r\n\r\nhe")
    harness.server.drain()
    harness.clock.now += 19_999
    head.pump()
    #expect(!head.isClosed)
    harness.clock.now += 1
    expectLast(head, status: 503)
    expectLast(body, status: 503)
    #expect(harness.files(of: "alice") == [])
    harness.settle()
    #expect(harness.server.isFinished && harness.server.unfinishedCount == 2)
  }

  @Test func aClientThatDoesNotReadItsAnswerHoldsUpNothingForEver() throws {
    let harness = try Harness()
    _ = try harness.post("insert?p=big", [UInt8](repeating: 0x78, count: 12_000_000))
    let stuck = harness.connect()
    stuck.send("GET /api/v2/select?p=big HTTP/1.1\r\n\(Self.fields)\r\n")
    harness.server.drain()
    harness.clock.now += 21_999
    harness.settle()
    #expect(!harness.server.isFinished)
    harness.clock.now += 1
    harness.settle()
    #expect(harness.server.isFinished && harness.server.unfinishedCount == 1)
  }
}
