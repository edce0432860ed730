import Seeded
import Testing

@testable import TokenCheck

private func path(_ text: String) throws(PathError) -> CanonicalPath {
  try CanonicalPath(target: Array(text.utf8).span)
}

@Suite struct CanonicalPathTests {
  @Test(arguments: [
    ("/", "/"), ("/api/", "/api/"), ("/api/v2/select?p=a//b/../%2e;c", "/api/v2/select"), ("/?", "/"),
    ("/a.b/..c/...", "/a.b/..c/..."), ("/a%20b%c3%a4", "/a%20b%C3%A4"),
    ("/a%3Fb%23c%25d%26", "/a%3Fb%23c%25d%26"),
    ("/a%25", "/a%25"), ("/a%254", "/a%254"), ("/a%25zz", "/a%25zz"),
    ("/a+b:c@d,e=f&g!h*i'(j)$~k", "/a+b:c@d,e=f&g!h*i'(j)$~k"),
    ("/.well-known/x", "/.well-known/x"), ("/a|b^c{d}", "/a|b^c{d}"),
  ])
  func oneSpellingIsAccepted(target: String, expected: String) throws {
    #expect(String(decoding: try path(target).bytes, as: UTF8.self) == expected)
  }

  @Test(arguments: [
    ("", PathError.notAPath), ("*", .notAPath), ("api", .notAPath),
    ("http://evil.example.com/api/", .notAPath),
    ("//evil.example.com/", .segments), ("/api//v2", .segments), ("/api/v2//", .segments),
    ("/api/./v2//%72eload", .encoded), ("/api/./v2", .segments), ("/api/v2/.", .segments), ("/.", .segments),
    ("/x/../api/v2/reload", .segments), ("/..", .segments), ("/api/..", .segments), ("/api/..?x", .segments),
    ("/api/%2e%2e/x", .encoded), ("/api/%2E/x", .encoded), ("/api/.%2e/x", .encoded), ("/api%2fv2", .encoded),
    ("/api%2Fv2", .encoded), ("/api/v2/%72eload", .encoded), ("/api/v2/reloa%64", .encoded),
    ("/api/v%32/x", .encoded),
    ("/a%7Eb", .encoded), ("/a%2Db", .encoded), ("/a%5Fb", .encoded), ("/api/%252e%252e/x", .encoded),
    ("/api/v2/%2572eload", .encoded), ("/a%25%32%65", .encoded), ("/a%252F", .encoded), ("/a;b", .character),
    ("/api/v2/reload;x=1", .character), ("/a%3bb", .encoded), ("/a%3B", .encoded), ("/a\\b", .character),
    ("/a%5cb", .encoded), ("/a%00", .encoded), ("/a\0", .character), ("/a%0d%0aX:y", .encoded),
    ("/a%09", .encoded),
    ("/a%7f", .encoded), ("/a b", .character), ("/a\tb", .character), ("/a#b", .character),
    ("/a?b#c", .character),
    ("/a?b c", .character), ("/ä", .character), ("/a%", .encoding), ("/a%4", .encoding), ("/a%zz", .encoding),
    ("/a%u002e", .encoding), ("/a%c0%af", .encoding), ("/a%c0%ae%c0%ae/", .encoding), ("/a%ff", .encoding),
    ("/a%e2%82", .encoding), ("/a%ed%a0%80", .encoding),
  ])
  func everyOtherOneIsRefused(target: String, reason: PathError) {
    #expect(throws: reason) { try path(target) }
  }

  @Test func lengthIsBounded() throws {
    _ = try path("/" + String(repeating: "a", count: 8191))
    #expect(throws: PathError.tooLong) { try path("/" + String(repeating: "a", count: 8192)) }
  }

  @Test(arguments: [
    ("/api/v2/reload", true), ("/api/v2/reload?x", true), ("/api/v2/reload/", true),
    ("/api/v2/reloadX", true),
    ("/API/v2/ReLoad", true), ("/api/v2/reloa", false), ("/api/v2", false), ("/api/v2/select", false),
    ("/x/api/v2/reload", false), ("/api/v2/reload%20", true),
  ])
  func reservedIsWhatBeginsWithIt(target: String, isReserved: Bool) throws {
    #expect(try path(target).begins(with: path("/api/v2/reload")) == isReserved)
  }

  /// An accepted path, decoded and normalised once or twice by somebody else, is the same path.
  @Test func noOtherReadingOfAnAcceptedPath() throws {
    var random = SeededGenerator(3)
    let pieces = [
      "/", "/", "/", ".", "..", "a", "reload", "%2e", "%2F", "%25", "%", "2e", "2f", "72", "%72", "%c3%a4",
      "%20", ";",
      "\\", "?", "%5c", "%00", "%c0%af", "A",
    ]
    var accepted = 0
    for _ in 0..<50_000 {
      let target =
        "/"
        + (0..<Int.random(in: 0...7, using: &random))
        .map { _ in pieces[Int.random(in: 0..<pieces.count, using: &random)] }.joined()
      guard let path = try? path(target) else { continue }
      accepted += 1
      let once = read(path.bytes)
      #expect(once.segments == written(path.bytes), "\(target)")
      #expect(read(once.bytes).segments == once.segments, "\(target), read twice")
    }
    #expect(accepted > 2_000)
  }

  /// Segments as they are written, decoded one by one.
  private func written(_ bytes: [UInt8]) -> [[UInt8]] {
    bytes.split(separator: UInt8(ascii: "/")).map { decoded(Array($0)) }
  }

  /// As a careless program reads a path: decodes first, then removes empty segments and dots.
  private func read(_ bytes: [UInt8]) -> (bytes: [UInt8], segments: [[UInt8]]) {
    let text = decoded(bytes)
    var segments: [[UInt8]] = []
    for segment in text.split(whereSeparator: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }) {
      switch String(decoding: segment, as: UTF8.self) {
      case ".": break
      case "..": _ = segments.popLast()
      default: segments.append(Array(segment))
      }
    }
    return (text, segments)
  }

  private func decoded(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count,
        let value = UInt8(String(decoding: bytes[index + 1...index + 2], as: UTF8.self), radix: 16)
      {
        result.append(value)
        index += 3
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return result
  }
}
