import Glibc
import Testing

@testable import PodserveCore

@Suite struct ConnectionTests {
  static let fields = "Host: h\r\nAuthorization: Bearer A\r\n"
  static let version = "GET /api/v2/version HTTP/1.1\r\n\(fields)\r\n"
  static let insert = "POST /api/v2/insert?p=a HTTP/1.1\r\n\(fields)"

  @Test func pipelinedRequestsAreAnsweredInOrder() throws {
    let harness = try Harness()
    let client = harness.connect()
    client.send(
      Self.insert + "Content-Length: 3\r\n\r\none" + Self.insert + "Transfer-Encoding: chunked\r\n\r\n"
        + "3\r\ntwo\r\n0\r\n\r\n" + "GET /api/v2/select?p=a HTTP/1.1\r\n\(Self.fields)\r\n" + Self.version)
    #expect(client.response()?.text == "Inserted 3 bytes")
    #expect(client.response()?.text == "Inserted 3 bytes")
    #expect(client.response()?.text == "onetwo")
    #expect(client.response()?.text == podserveVersion)
    #expect(!client.isClosed)
  }

  @Test func aRequestByteByByteIsOneRequest() throws {
    let harness = try Harness()
    let client = harness.connect()
    for byte in Array((Self.insert + "Content-Length: 5\r\n\r\nhello").utf8) { client.send([byte]) }
    #expect(client.response()?.text == "Inserted 5 bytes")
  }

  @Test func hundredContinueComesBeforeTheBody() throws {
    let harness = try Harness()
    let client = harness.connect()
    client.send(Self.insert + "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    #expect(client.response()?.status == 100)
    client.send("hello")
    #expect(client.response()?.text == "Inserted 5 bytes")
    let refused = harness.connect()
    refused.send(Self.insert + "Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n")
    #expect(refused.response()?.status == 413)
  }

  @Test func headTellsTheLengthAndNothingMore() throws {
    let harness = try Harness()
    _ = try harness.get("insert?p=a&s=hello")
    let client = harness.connect()
    client.send("HEAD /api/v2/select?p=a HTTP/1.1\r\n\(Self.fields)\r\n" + Self.version)
    let head = try #require(client.response(toHead: true))
    #expect(head.status == 200 && head.head.contains("Content-Length: 5"))
    #expect(client.response()?.text == podserveVersion)
    client.send("HEAD /api/v2/insert?p=a&s=x HTTP/1.1\r\n\(Self.fields)\r\n")
    #expect(client.response(toHead: true)?.status == 405)
    #expect(try harness.get("select?p=a").text == "hello")
  }

  @Test(arguments: [
    ("GET /api/v2/version HTTP/1.0\r\nAuthorization: Bearer A\r\n\r\n", 200),
    ("GET /api/v2/version HTTP/1.1\r\n\(fields)Connection: close\r\n\r\n", 200),
    ("POST /api/v2/insert?p=a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 401),
    (insert + "Content-Length: 99999999\r\n\r\n", 413), ("nonsense\r\n\r\n", 400),
    ("GET / HTTP/3.0\r\n\r\n", 505),
    (insert + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (insert + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    (insert + "Content-Length: 5\r\n\r\n\u{17}abcd", 400),
    ("GET /" + String(repeating: "a", count: 9000) + " HTTP/1.1\r\n\r\n", 414),
    ("GET / HTTP/1.1\r\nA: " + String(repeating: "a", count: 40000) + "\r\n\r\n", 431),
  ])
  func theConnectionEndsAfterTheAnswer(request: String, status: Int) throws {
    let harness = try Harness()
    let client = harness.connect()
    client.send(request)
    let response = try #require(client.response())
    // A text refused for its content was read to its end: the connection is good for more.
    let keeps = status == 400 && request.hasSuffix("abcd")
    #expect(response.status == status)
    #expect(response.head.contains(keeps ? "Connection: keep-alive" : "Connection: close"))
    client.pump()
    #expect(client.isClosed != keeps)
    #expect(harness.files(of: "alice") == [])
  }

  @Test(arguments: [("POST", "select", 405), ("PUT", "insert", 405), ("OPTIONS", "version", 405)])
  func otherMethodsAre405(method: String, command: String, status: Int) throws {
    let harness = try Harness()
    let client = harness.connect()
    client.send("\(method) /api/v2/\(command)?p=a HTTP/1.1\r\n\(Self.fields)Content-Length: 0\r\n\r\n")
    let response = try #require(client.response())
    #expect(response.status == status && response.head.contains("Allow: GET"))
  }

  @Test func aPostWithoutLengthIs411() throws {
    let harness = try Harness()
    let client = harness.connect()
    client.send(Self.insert + "\r\n")
    #expect(client.response()?.status == 411)
  }

  @Test func slowClientsGet408AndIdleOnesAreClosed() throws {
    let harness = try Harness()
    let (head, body, idle) = (harness.connect(), harness.connect(), harness.connect())
    head.send("GET /api")
    body.send(Self.insert + "Content-Length: 5\r\n\r\nhe")
    idle.send(Self.version)
    #expect(idle.response()?.status == 200)
    harness.clock.now += 29_000
    head.send("/v2")
    harness.settle()
    #expect(harness.server.connectionCount == 3)
    harness.clock.now += 1_000
    #expect(head.response()?.status == 408)
    harness.clock.now += 30_000
    #expect(body.response()?.status == 408)
    #expect(harness.files(of: "alice") == [])
    harness.clock.now += 15_000
    idle.pump()
    #expect(idle.isClosed)
  }

  @Test func aByteFromTimeToTimeKeepsNoConnection() throws {
    let harness = try Harness()
    let body = harness.connect()
    body.send(Self.insert + "Content-Length: 50\r\n\r\nh")
    for _ in 0..<5 {
      harness.clock.now += 11_000
      body.send("h")
      harness.settle()
    }
    #expect(harness.server.connectionCount == 1)
    harness.clock.now += 6_000
    #expect(body.response()?.status == 408)
    #expect(harness.files(of: "alice") == [])
    // A kibibyte a second is enough, for as long as it takes.
    let steady = harness.connect()
    steady.send(Self.insert + "Content-Length: 204800\r\n\r\n")
    for _ in 0..<20 {
      steady.send([UInt8](repeating: 0x61, count: 10_240))
      harness.clock.now += 10_000
      harness.settle()
    }
    #expect(steady.response()?.status == 200)
  }

  @Test func aUsersUploadsUnderWayAreCounted() throws {
    let harness = try Harness(dataMax: 100_000)
    let (first, second) = (harness.connect(), harness.connect())
    let text = [UInt8](repeating: 0x61, count: 60_000)
    first.send(Self.insert + "Content-Length: 60001\r\n\r\n")
    first.send(text)
    second.send(Self.insert + "Content-Length: 60001\r\n\r\n")
    second.send(text)
    #expect(second.response()?.status == 503)
    #expect(try harness.post("insert?p=a", text, token: "B").status == 200)
    // What is given up gives its room back.
    first.finishSending()
    first.pump()
    #expect(harness.files(of: "alice") == [])
    #expect(try harness.post("insert?p=a", text).status == 200)
  }

  @Test func aUserDoesNotGetAllConnections() throws {
    var storage = StorageLimits()
    storage.requests = 2
    let harness = try Harness(storage: storage)
    let slow = (0..<2).map { _ in harness.connect() }
    for client in slow { client.send(Self.insert + "Content-Length: 5\r\n\r\nhe") }
    #expect(try harness.get("version").status == 503)
    #expect(try harness.get("version", token: "B").status == 200)
    slow[0].send("llo")
    #expect(slow[0].response()?.status == 200)
    #expect(try harness.get("version").status == 200)
  }

  @Test func connectionsBeyondTheLimitWaitAndIdleOnesMakeRoom() throws {
    var limits = ServerLimits()
    limits.connections = 2
    let harness = try Harness(limits: limits)
    let (first, second, third) = (harness.connect(), harness.connect(), harness.connect())
    first.send("GET /")
    second.send("GET /")
    third.send(Self.version)
    #expect(harness.server.connectionCount == 2)
    third.pump()
    #expect(!third.isClosed)
    first.send("api/v2/version HTTP/1.1\r\n\(Self.fields)\r\n")
    #expect(first.response()?.status == 200)
    #expect(third.response()?.text == podserveVersion)
    first.pump()
    second.pump()
    #expect(first.isClosed && !second.isClosed)
    second.send("api/v2/version HTTP/1.1\r\n\(Self.fields)\r\n")
    #expect(second.response()?.status == 200)
  }

  @Test func clientsThatVanishLeaveNothing() throws {
    let harness = try Harness()
    do {
      let client = harness.connect()
      client.send(Self.insert + "Content-Length: 100000\r\n\r\n" + String(repeating: "x", count: 50000))
      harness.settle()
      #expect(harness.server.connectionCount == 1)
    }
    harness.settle()
    #expect(harness.server.connectionCount == 0)
    #expect(harness.files(of: "alice") == [])
  }
}
