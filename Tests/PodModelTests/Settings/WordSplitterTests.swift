import Testing

@testable import PodModel

@Suite struct WordSplitterTests {
  @Test(arguments: [
    ("", []), ("  ", []),
    ("a b\tc", ["a", "b", "c"]),
    ("\"a b\" 'c d'", ["a b", "c d"]),
    ("a\"b c\"d", ["ab cd"]),
    ("'it''s'", ["its"]),
    ("\"'\" '\"'", ["'", "\""]),
    ("\"\" ''", ["", ""]),
    ("a\\sb", ["a b"]), ("a\\tb", ["a\tb"]), ("\\\\", ["\\"]), ("\\\"", ["\""]),
    ("\\x41\\x2d", ["A-"]), ("\\101", ["A"]), ("\\u00fc", ["ü"]), ("\\U0001F600", ["😀"]),
    ("\\xc3\\xbc", ["ü"]),
    ("'a\\x20b'", ["a b"]),
    ("${A} $$", ["${A}", "$$"]),
    ("a#b #c", ["a#b", "#c"]),
  ])
  func splits(value: String, words: [String]) throws {
    #expect(try WordSplitter.split(value) == words)
  }

  @Test(arguments: [
    "\"a", "'a", "a\\", "\\q", "\\x4", "\\x4g", "\\400", "\\18", "\\ud800", "\\U00110000",
    "\\x00", "\\000", "\\u0000", "\\xff", "\\é", "\\U FFFFFFFF",
  ])
  func refuses(value: String) {
    #expect(throws: ValueError.self) { try WordSplitter.split(value) }
  }

  @Test func aCommandIsOne() throws {
    #expect(try WordSplitter.command("/a ';' \";\" \\; x;y") == ["/a", ";", ";", ";", "x;y"])
    #expect(throws: ValueError.self) { try WordSplitter.command("/a ; /b") }
    #expect(throws: ValueError.self) { try WordSplitter.command("/a ;") }
  }
}
