import Testing

@testable import HTTPWire

@Suite struct BodyDecoderTests {
  /// The content, and how many bytes of the input belong to the body; nil when it is not complete.
  private func decode(_ text: String, _ framing: RequestHead.Framing, cut: Int) throws(HTTPError) -> (
    String, Int
  )? {
    let bytes = Array(text.utf8)
    var decoder = BodyDecoder(framing)
    var content: [UInt8] = []
    var consumed = 0
    for part in [Array(bytes[..<cut]), Array(bytes[cut...])] {
      var position = 0
      while let run = try decoder.next(part.span, from: &position) { content += part[run] }
      consumed += position
    }
    return decoder.isComplete ? (String(decoding: content, as: UTF8.self), consumed) : nil
  }

  @Test(arguments: [
    ("hello", RequestHead.Framing.length(5), "hello", 5), ("helloGET /", .length(5), "hello", 5),
    ("GET /", .none, "", 0), ("5\r\nhello\r\n0\r\n\r\nGET", .chunked, "hello", 15),
    ("5;a=b\r\nhello\r\n00A\r\n0123456789\r\n0\r\nT: v\r\n\r\n", .chunked, "hello0123456789", 42),
    ("a\r\n0123456789\r\n0 \r\n\r\n", .chunked, "0123456789", 21),
  ])
  func contentIsTheSameWhereverItIsCut(
    text: String, framing: RequestHead.Framing, expected: String, length: Int
  ) throws {
    for cut in 0...text.utf8.count {
      let result = try decode(text, framing, cut: cut)
      #expect(result?.0 == expected && result?.1 == length, "cut at \(cut): \(String(describing: result))")
    }
  }

  @Test(arguments: [
    "g\r\n", "\r\n", "-1\r\n", "0x5\r\n", "5\nhello", "5\r\nhelloX\r\n", "5\r\nhello\n0\r\n", "5;\nx", "1\rX",
    "0\r\nT: v\n\r\n", "0\r\n\rX", ";x\r\n", "5 ;\u{0}\r\n",
  ])
  func badChunksAre400(text: String) {
    for cut in 0...text.utf8.count {
      let error = #expect(throws: HTTPError.self) { _ = try decode(text, .chunked, cut: cut) }
      #expect(error?.status == 400)
    }
  }

  @Test func endlessSizesAndTrailersAreRefused() {
    let zeros = String(repeating: "0", count: 100)
    #expect(throws: HTTPError.self) { _ = try decode(zeros, .chunked, cut: 0) }
    let trailer = "0\r\nX: " + String(repeating: "y", count: 9000)
    #expect(throws: HTTPError.self) { _ = try decode(trailer, .chunked, cut: 0) }
  }
}
