import Testing

@testable import PodModel

@Suite struct SettingsParserTests {
  /// `section/key=value@line`, one a line.
  private func read(_ text: String) throws -> [String] {
    try SettingsParser.parse(SettingsFragment(path: "f", text: text)).map {
      "\($0.section)/\($0.key)=\($0.value)@\($0.line)"
    }
  }

  @Test(arguments: [
    ("", []),
    ("\n\n# c\n; c\n", []),
    ("[A]\nx=1", ["A/x=1@2"]),
    ("[A]\nx=1\n", ["A/x=1@2"]),
    ("[A]\r\nx=1\r\ny=2\r\n", ["A/x=1@2", "A/y=2@3"]),
    ("[A]\rx=1\r", ["A/x=1@2"]),
    ("\u{FEFF}[A]\nx=1", ["A/x=1@2"]),
    ("  [A]  \n \t x \t = \t 1 2 \t", ["A/x=1 2@2"]),
    ("[A]\nx=\n", ["A/x=@2"]),
    ("[A]\nx=a=b", ["A/x=a=b@2"]),
    ("[A]\nx=1\n[B]\nx=2\n[A]\ny=3", ["A/x=1@2", "B/x=2@4", "A/y=3@6"]),
    ("[A]\nx=1 # not a comment", ["A/x=1 # not a comment@2"]),
    // Continuations: the backslash becomes a space.
    ("[A]\nx=1\\\n2\ny=3", ["A/x=1 2@2", "A/y=3@4"]),
    ("[A]\nx=1\\\r\n2", ["A/x=1 2@2"]),
    ("[A]\nx=\\\n\\\n  1", ["A/x=1@2"]),
    ("[A]\nx=1\\\n# comment\n; comment \\\n  2\ny=3", ["A/x=1     2@2".collapsed, "A/y=3@6"]),
    ("[A]\nx=1\\\n\ny=2", ["A/x=1@2", "A/y=2@4"]),
    ("[A]\nx=1\\\\\ny=2", ["A/x=1\\\\@2", "A/y=2@3"]),
    ("[A]\nx=1\\\\\\\n2", ["A/x=1\\\\ 2@2"]),
    ("[A]\nx=1\\", ["A/x=1@2"]),
    ("[A]\nx=1\\ \ny=2", ["A/x=1\\@2", "A/y=2@3"]),
    ("# comment \\\n[A]\nx=1", ["A/x=1@3"]),
    ("[A]\nx=ü", ["A/x=ü@2"]),
  ])
  func reads(text: String, expected: [String]) throws {
    #expect(try read(text).map(\.collapsed) == expected)
  }

  @Test(arguments: [
    ("x=1", "f:1: x=: it stands before the first section; write the [Section] line above it"),
    ("[A]\nnonsense", "f:2: \"nonsense\" has no '='; write Key=value"),
    ("[A]\n=1", "f:2: there is no key before '='"),
    ("[A\nx=1", "f:1: \"[A\" is not a section; write [Name]"),
    ("[]\nx=1", "f:1: \"[]\" is not a section; write [Name]"),
    ("[A]\n\n# a\0b", "f:3: the line holds a NUL byte"),
    ("[A]\nx=1\\\n2\n3", "f:4: \"3\" has no '='; write Key=value"),
    ("[A]\nab\\\ncd", "f:2: \"ab cd\" has no '='; write Key=value"),
    ("[A]\n\u{1B}[2J\u{202E}", "f:2: \"\\u{1b}[2J\\u{202e}\" has no '='; write Key=value"),
  ])
  func refuses(text: String, message: String) {
    #expect(message == failure { try read(text) })
  }

  @Test func refusesInvalidUTF8() {
    let fragment = SettingsFragment(path: "f", contents: Array("[A]\nx=".utf8) + [0xC3, 0x28])
    #expect("f:2: the line is not UTF-8" == failure { try SettingsParser.parse(fragment) })
  }

  @Test func boundsWhatAFileMayCost() throws {
    let long = "[A]\nx=" + String(repeating: "a", count: 65_000)
    #expect(try read(long).count == 1)
    #expect(
      "f:2: the line is longer than 65536 bytes"
        == failure { try read(long + String(repeating: "a", count: 600)) })
    let continued = "[A]\nx=" + String(repeating: "abc\\\n", count: 20_000)
    #expect(failure { try read(continued) }?.hasSuffix("the line is longer than 65536 bytes") == true)
    let huge = String(repeating: "#\n", count: 600_000)
    #expect("f: the file is larger than 1048576 bytes" == failure { try read(huge) })
  }

  @Test func errorsDoNotRepeatLongInput() {
    let message = failure { try read("[A]\n" + String(repeating: "z", count: 10_000)) }
    #expect((message?.utf8.count ?? .max) < 200)
  }
}

/// The text of the error that `body` throws; nil when it throws none.
func failure(_ body: () throws -> some Any) -> String? {
  do {
    _ = try body()
    return nil
  } catch {
    return "\(error)"
  }
}

extension String {
  /// Runs of spaces as one, so that a test need not count what continuations leave.
  fileprivate var collapsed: String {
    split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
  }
}
