import Testing

@testable import PodserveCore

@Suite struct UserTableTests {
  private func problem(_ text: String) -> String? {
    do throws(UserTable.Problem) {
      _ = try UserTable(json: Array(text.utf8))
      return nil
    } catch {
      return error.reason
    }
  }

  @Test func findsTheUserByTokenAlone() throws {
    let text = """
      {"users":[{"user":"a@x","token":"t\\u00f61","directory":"/d/a","extra":{"x":[1,2.5e3,null,true]}},
        {"user":"b","token":"t2","directory":"/d/b","data_max":1048576}]}
      """
    let table = try UserTable(json: Array(text.utf8))
    #expect(table.user(token: Array("tö1".utf8)[...])?.name == "a@x")
    #expect(table.user(token: Array("t2".utf8)[...])?.dataMax == 1_048_576)
    for wrong in ["", "t", "t22", "t2t2", "T2", "2t"] {
      #expect(table.user(token: Array(wrong.utf8)[...]) == nil, "\(wrong)")
    }
  }

  @Test(arguments: [
    ("", "line 1: Expected a value"), ("[]", "it is not an object with an array \"users\""),
    ("{\"users\":[\n,]}", "line 2: Expected a value"),
    ("{\"users\":[]}x", "line 1: Text after the end of the value"),
    ("{\"users\":[],}", "line 1: Expected '\"'"),
    ("{\"users\":[],\"users\":[]}", "line 1: A key occurs twice"),
    ("{\"users\":[{\"user\":\"a\",\"directory\":\"/d\"}]}", "user number 1: \"token\" is not a plain text"),
    (
      "{\"users\":[{\"user\":\"a\",\"token\":\"\",\"directory\":\"/d\"}]}",
      "user number 1: \"token\" is not a plain text"
    ),
    (
      "{\"users\":[{\"user\":\"a\",\"token\":\"t\",\"directory\":\"d\"}]}",
      "a: \"directory\" is not an absolute path"
    ),
    (
      "{\"users\":[{\"user\":\"a\",\"token\":\"t\",\"directory\":\"/d\",\"data_max\":-1}]}",
      "a: \"data_max\" is not a number of bytes"
    ),
    (
      "{\"users\":[{\"user\":\"a\",\"token\":\"t\",\"directory\":\"/d\"},{\"user\":\"b\",\"token\":\"t\",\"directory\":\"/d\"}]}",
      "b has the same \"token\" as another user"
    ),
  ])
  func saysWhatIsWrong(text: String, reason: String) {
    #expect(problem(text) == reason)
  }

  @Test(arguments: [
    "01", "1.", ".5", "1e", "+1", "-", "tru", "nul", "\"", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"",
    "\"\\udc00\"",
    "\"\\u+123\"", "\"\n\"", "[1 2]", "[1,]", "{\"a\"}", "{a:1}", "'a'", "[", "{", "//", "\u{feff}1", "NaN",
  ])
  func strictJSON(text: String) {
    #expect(throws: JSONError.self) { _ = try JSONParser.parse(Array(text.utf8)) }
  }

  @Test func values() throws {
    #expect(try JSONParser.parse(Array("\"\\ud83d\\ude00\\n\"".utf8)) == .string("😀\n"))
    #expect(
      try JSONParser.parse(Array(" [0,-5,1e5,99999999999999999999] ".utf8))
        == .array([.integer(0), .integer(-5), .number, .number]))
    #expect(throws: JSONError.self) { _ = try JSONParser.parse([0x22, 0xFF, 0x22]) }
  }

  @Test func deepNestingIsRefusedNotFollowed() {
    let text = String(repeating: "[", count: 100_000)
    #expect(throws: JSONError.self) { _ = try JSONParser.parse(Array(text.utf8)) }
  }

  @Test(arguments: [
    ([], Arguments?.none), (["--help"], .help), (["--version"], .version),
    (["--users", "/u"], .serve(users: "/u", address: nil, port: nil)),
    (
      ["--users=/u", "--address=127.0.0.1", "--port", "80"],
      .serve(users: "/u", address: "127.0.0.1", port: 80)
    ),
    (["--users=/u", "--port=80"], nil), (["--users=/u", "--address=::1", "--port=70000"], nil),
    (["--users="], nil),
    (["--nonsense"], nil), (["--users=/u", "--address=::1", "--port=0"], nil),
  ])
  func commandLine(words: [String], expected: Arguments?) {
    #expect((try? Arguments.parse(words)) == expected)
  }
}
