import Testing

@testable import HTTPWire

/// Feeds a request in two parts, cut at every byte, and checks that the cut makes no difference.
func parseCutEverywhere(_ text: String, limits: HeadParser.Limits = .init()) -> Result<
  RequestHead, HTTPError
>? {
  let bytes = Array(text.utf8)
  var results: [Result<RequestHead, HTTPError>?] = []
  for cut in 0...bytes.count {
    var parser = HeadParser(limits: limits)
    results.append(
      Result { () throws(HTTPError) in
        if let early = try parser.parse(Array(bytes[..<cut]).span) { return early.head }
        return try parser.parse(bytes.span)?.head
      }.transposed)
  }
  let summaries = results.map(summary)
  #expect(Set(summaries).count == 1, "the result depends on where the input is cut")
  return results.last ?? nil
}

private func summary(_ result: Result<RequestHead, HTTPError>?) -> String {
  switch result {
  case nil: "incomplete"
  case .failure(let error): "\(error)"
  case .success(let head):
    "\(head.method) \(head.path) \(head.framing) \(head.keepsAlive) \(head.expectsContinue)"
  }
}

extension Result where Success == RequestHead?, Failure == HTTPError {
  fileprivate var transposed: Result<RequestHead, HTTPError>? {
    switch self {
    case .success(nil): nil
    case .success(let head?): .success(head)
    case .failure(let error): .failure(error)
    }
  }
}

@Suite struct HeadParserTests {
  static let post = "POST /a HTTP/1.1\r\nHost: h\r\n"

  @Test(arguments: [
    ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / none true false"),
    ("\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", "GET / none true false"),
    ("GET http://h/x?y HTTP/1.1\r\nHost: h\r\n\r\n", "GET /x none true false"),
    ("GET / HTTP/1.0\r\n\r\n", "GET / none false false"),
    ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / none true false"),
    ("GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n", "GET / none false false"),
    (post + "Content-Length: 12\r\n\r\n", "POST /a length(12) true false"),
    (post + "Content-Length: 12\r\nExpect: 100-Continue\r\n\r\n", "POST /a length(12) true true"),
    (post + "TRANSFER-ENCODING:chunked\r\n\r\n", "POST /a chunked true false"),
  ])
  func accepts(text: String, expected: String) {
    #expect(summary(parseCutEverywhere(text)) == expected)
  }

  @Test(arguments: [
    ("GET /\r\n\r\n", 400), ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400), ("G@T / HTTP/1.1\r\n\r\n", 400),
    ("GET /a b HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/2.0\r\n\r\n", 505), ("GET / HTTP/11\r\n\r\n", 400),
    ("GET /\u{1} HTTP/1.1\r\nHost: h\r\n\r\n", 400), ("GET a HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("GET / HTTP/1.1\nHost: h\n\n", 400), ("GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: h\r\n: v\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: h\u{0}\r\n\r\n", 400), ("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
    (post + "Content-Length: 5, 5\r\n\r\n", 400), (post + "Content-Length: +5\r\n\r\n", 400),
    (post + "Content-Length: -1\r\n\r\n", 400), (post + "Content-Length: 0x5\r\n\r\n", 400),
    (post + "Content-Length:\r\n\r\n", 400), (post + "Content-Length: 99999999999999999999\r\n\r\n", 413),
    (post + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    (post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (post + "Transfer-Encoding: \u{b}chunked\r\n\r\n", 400),
    (post + "Expect: a-miracle\r\n\r\n", 417),
  ])
  func refuses(text: String, status: Int) {
    guard case .failure(let error)? = parseCutEverywhere(text) else {
      Issue.record("accepted: \(text)")
      return
    }
    #expect(error.status == status, "\(error.reason)")
  }

  @Test func limitsHoldBeforeTheLineEnds() {
    var limits = HeadParser.Limits()
    limits.requestLine = 20
    limits.head = 60
    limits.fields = 3
    let refused = { (text: String) -> Int? in
      guard case .failure(let error)? = parseCutEverywhere(text, limits: limits) else { return nil }
      return error.status
    }
    #expect(refused("GET /aaaaa HTTP/1.1\r\nHost: h\r\n\r\n") == nil)
    #expect(refused("GET /aaaaaa HTTP/1.1\r\nHost: h\r\n\r\n") == nil)
    #expect(refused("GET /aaaaaaa HTTP/1.1\r\nHost: h\r\n\r\n") == 414)
    #expect(refused("GET /" + String(repeating: "a", count: 100)) == 414)
    #expect(refused("GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 100)) == 431)
    #expect(refused("GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n") == 431)
  }

  @Test func lengthEndsWhereThePipelinedNextRequestBegins() throws {
    let first = "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
    var parser = HeadParser()
    let result = try parser.parse(Array((first + "GET /2 HTTP/1.1\r\n").utf8).span)
    #expect(result?.length == first.utf8.count)
  }

  @Test func valuesAreFoundWhateverTheCaseOfTheName() throws {
    let text = "GET /?a=b?c HTTP/1.1\r\nHOST:  h \t\r\nAuthorization: Bearer x\r\n\r\n"
    let head = try #require(try parseCutEverywhere(text)?.get())
    #expect(try head.value(of: "host").map(Array.init) == Array("h".utf8))
    #expect(try head.value(of: "authorization").map(Array.init) == Array("Bearer x".utf8))
    #expect(head.query.map(Array.init) == Array("a=b?c".utf8))
  }
}

@Suite struct ControlCharacterTests {
  /// Eight bytes are examined at once, so every byte is tried in every place of them.
  @Test func eachIsFoundWhereverItIs() {
    for length in 0...25 {
      for byte in UInt8.min...UInt8.max {
        for place in 0..<length {
          var bytes = [UInt8](repeating: 0x80, count: length)
          bytes[place] = byte
          let isControl = byte < 0x20 || byte == 0x7F
          #expect(firstControl(in: bytes.span.bytes, from: 0, to: length) == (isControl ? place : length))
        }
      }
    }
    // What a borrow reaches beyond the first one is not the first one.
    let bytes: [UInt8] = [0x41, 0x80, 0x20, 0x1F, 0x20, 0x7F, 0x00, 0x80, 0x00]
    #expect(firstControl(in: bytes.span.bytes, from: 0, to: 9) == 3)
    #expect(firstControl(in: bytes.span.bytes, from: 4, to: 9) == 5)
    #expect(firstControl(in: bytes.span.bytes, from: 7, to: 8) == 8)
  }

  @Test func tokensAreTheCharactersOfTheStandard() {
    let letters = "abcdefghijklmnopqrstuvwxyz"
    let token = Set("!#$%&'*+-.^_`|~0123456789\(letters)\(letters.uppercased())".utf8)
    for byte in UInt8.min...UInt8.max { #expect(ByteClass.token.contains(byte) == token.contains(byte)) }
  }

  @Test func aValueMayHaveTabsAndNothingElse() {
    for byte in UInt8.min...UInt8.max {
      for padding in ["", "abcdefg", "abcdefghijklm"] {
        let text =
          Array("GET / HTTP/1.1\r\nHost: h\r\nX: a\(padding)".utf8) + [byte] + Array("z\t\r\n\r\n".utf8)
        var parser = HeadParser()
        let isGood = byte == 0x09 || (byte >= 0x20 && byte != 0x7F)
        #expect(((try? parser.parse(text.span)) != nil) == isGood, "\(byte)")
      }
    }
  }

  @Test(arguments: [
    ("GET http://h?a/b HTTP/1.1\r\nHost: h\r\n\r\n", 400), ("GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("GET http:/ HTTP/1.1\r\nHost: h\r\n\r\n", 400), ("GET ** HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400), (" / HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("GET\r\nHost: h\r\n\r\n", 400), ("GET \r\nHost: h\r\n\r\n", 400), ("GET / \r\nHost: h\r\n\r\n", 400),
    ("GET /\u{7F} HTTP/1.1\r\nHost: h\r\n\r\n", 400), ("GET /#x HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("GET / HTTP/0.9\r\nHost: h\u{7F}\r\n\r\n", 400), ("GET / HTTP/0.9\r\nHost: h\r\n\r\n", 505),
  ])
  func targetsAndVersionsOfOtherKindsAreRefused(text: String, status: Int) {
    guard case .failure(let error)? = parseCutEverywhere(text) else {
      Issue.record("accepted: \(text)")
      return
    }
    #expect(error.status == status, "\(error.reason)")
  }

  @Test func listsAreReadElementByElement() throws {
    for (value, keepsAlive) in [
      ("close", false), ("a, CLOSE ,b", false), (",close", false), ("closed", true), ("aclose", true),
      ("", true),
      (",,", true), ("keep-alive, close", false), ("close x", true), ("a\r\nConnection: close", false),
    ] {
      var parser = HeadParser()
      let text = Array("GET / HTTP/1.1\r\nHost: h\r\nConnection: \(value)\r\n\r\n".utf8)
      let head = try #require(try parser.parse(text.span)?.head)
      #expect(head.keepsAlive == keepsAlive, "\(value)")
    }
  }

  @Test func aNameIsItselfAndNoOther() throws {
    var parser = HeadParser()
    let text = Array(
      "GET / HTTP/1.1\r\nHost: h\r\nX-Uri: 1\r\nX-Url: 2\r\nx-uRI2: 3\r\nY-Uri: 4\r\nX_Uri: 5\r\nA: 6\r\na: 7\r\n\r\n"
        .utf8)
    let head = try #require(try parser.parse(text.span)?.head)
    #expect(try head.value(of: "x-uri").map(Array.init) == [0x31])
    #expect(try head.value(of: "y-uri").map(Array.init) == [0x34])
    #expect(try head.value(of: "x-ur") == nil)
    #expect(try head.value(of: "") == nil)
    #expect(head.values(of: "a").map(Array.init) == [[0x36], [0x37]])
    #expect(throws: HTTPError.self) { try head.value(of: "a") }
  }
}
