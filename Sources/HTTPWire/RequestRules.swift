/// What the header fields say about the message itself: its body, its connection, its expectations.
enum RequestRules {
  static func apply(to head: inout RequestHead) throws(HTTPError) {
    head.framing = try framing(head)
    if head.list("connection", has: "close") {
      head.keepsAlive = false
    } else if head.list("connection", has: "keep-alive") {
      head.keepsAlive = true
    }
    // RFC 9112, 3.2: exactly one Host, so that no two hops see two different ones.
    let hosts = head.count(of: "host")
    guard hosts == 1 || (hosts == 0 && head.minorVersion == 0) else {
      throw HTTPError(400, "A request needs exactly one Host field.")
    }
    guard let expectation = try head.value(of: "expect") else { return }
    guard expectation.map(lowercased).elementsEqual("100-continue".utf8) else {
      throw HTTPError(417, "The only expectation known here is 100-continue.")
    }
    head.expectsContinue = head.minorVersion == 1 && head.framing != .none && head.framing != .length(0)
  }

  private static func framing(_ head: RequestHead) throws(HTTPError) -> RequestHead.Framing {
    let lengths = head.count(of: "content-length")
    let codings = head.count(of: "transfer-encoding")
    if codings > 0 {
      guard lengths == 0 else {
        throw HTTPError(400, "Content-Length and Transfer-Encoding exclude each other.")
      }
      guard head.minorVersion == 1, codings == 1 else {
        throw HTTPError(400, "One Transfer-Encoding field at most, and none in HTTP/1.0.")
      }
      guard let coding = try head.value(of: "transfer-encoding"),
        coding.map(lowercased).elementsEqual("chunked".utf8)
      else {
        throw HTTPError(501, "The only transfer coding known here is chunked.")
      }
      return .chunked
    }
    guard lengths > 0 else { return .none }
    guard lengths == 1, let text = try head.value(of: "content-length"), !text.isEmpty,
      text.allSatisfy({ (0x30...0x39).contains($0) })
    else {
      throw HTTPError(400, "Content-Length is not one decimal number.")
    }
    guard text.count <= 18, let length = Int(String(decoding: text, as: UTF8.self)) else {
      throw HTTPError(413, "The Content-Length is beyond every limit.")
    }
    return .length(length)
  }
}
