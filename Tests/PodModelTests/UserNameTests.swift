import PodModel
import Testing

@Suite struct UserNameTests {
  @Test(arguments: [
    ("alice@example.com", "alice@example.com"),
    ("Alice.B+tag@Example.COM", "alice.b+tag@example.com"),
    ("_", "_"), ("%20", "%20"), ("@", "@"), ("a..b", "a..b"), ("a-", "a-"), ("0", "0"),
  ])
  func acceptsAndLowerCases(written: String, read: String) throws {
    #expect(try UserName(validating: written).text == read)
  }

  @Test(arguments: [
    ("", UserNameError.empty),
    ("../x", .badStart(0x2E)), (".hidden", .badStart(0x2E)), ("-rf", .badStart(0x2D)),
    ("a/b", .badByte(0x2F, position: 2)), ("a b", .badByte(0x20, position: 2)),
    ("a\n", .badByte(0x0A, position: 2)), ("\0", .badByte(0, position: 1)),
    ("jürgen", .badByte(0xC3, position: 2)), ("a\u{301}", .badByte(0xCC, position: 2)),
    ("a\u{7F}", .badByte(0x7F, position: 2)), ("$x", .badByte(0x24, position: 1)),
    ("a:b", .badByte(0x3A, position: 2)), ("a\\", .badByte(0x5C, position: 2)),
  ])
  func refuses(written: String, reason: UserNameError) {
    #expect(throws: reason) { try UserName(validating: written) }
  }

  @Test func `a name on record is taken as it is, or not at all`() {
    #expect(UserName(stored: "alice@example.com")?.text == "alice@example.com")
    for text in ["Alice", "", "../x", "a b"] { #expect(UserName(stored: text) == nil) }
  }

  @Test func lengthLimit() throws {
    #expect(try UserName(validating: String(repeating: "a", count: 254)).text.utf8.count == 254)
    #expect(throws: UserNameError.tooLong(bytes: 255)) {
      try UserName(validating: String(repeating: "a", count: 255))
    }
  }

  @Test func bytesThatAreNotUTF8() {
    #expect(throws: UserNameError.badByte(0xFF, position: 2)) { try UserName(validating: [0x61, 0xFF]) }
  }

  @Test(arguments: ["", ".x", "a\u{1B}[31mb\n", String(repeating: "x\u{07}", count: 300), "é"])
  func errorTextIsShortAndPrintable(written: String) {
    do throws(UserNameError) {
      _ = try UserName(validating: written)
      Issue.record("accepted \(written.debugDescription)")
    } catch {
      #expect(error.description.utf8.count < 120)
      #expect(error.description.utf8.allSatisfy { (0x20...0x7E).contains($0) })
    }
  }

  @Test func errorTextNamesTheByte() {
    #expect(
      UserNameError.badByte(0x0A, position: 4).description
        == "the user name has 0x0A at byte 4; only letters, digits and . _ % + @ - are allowed")
    #expect(UserNameError.badByte(0x2F, position: 1).description.contains("'/' at byte 1"))
  }
}
