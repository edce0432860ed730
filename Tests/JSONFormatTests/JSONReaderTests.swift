import JSONFormat
import Testing

@Suite struct JSONReaderTests {
  @Test(arguments: [
    #"{"exit":"signal:KILL","oom_kills":1,"adopted":false,"log":["a, \"b\": {c}","d"],"memory":null}"#,
    "[18446744073709551615,-9223372036854775808,0,-1,0.5,true,false,null,[],{},\"\"]",
    #""\\ \" \n\r\t \u0000 \u001b \u007f ü 🦊""#,
    "7",
  ])
  func whatWeWriteIsReadBack(text: String) {
    #expect(JSON(parsing: text)?.text == text)
  }

  @Test func whatOthersWriteIsReadToo() {
    #expect(
      JSON(
        parsing:
          " { \"a\" : [ 1 , 2.50 , 1E2 , -0 ] ,\n\"b\\u0041\\/\\b\\f\" : \"\\ud83e\\udd8a\\uD83E!\" }\t")?
        .text == "{\"a\":[1,2.5,100.0,0],\"bA/\\u0008\\u000c\":\"🦊\u{FFFD}!\"}")
    #expect(JSON(parsing: #"{"a":1,"b":{"c":"d"}}"#)?["b"]?["c"]?.text == "\"d\"")
    #expect(JSON(parsing: "99999999999999999999")?.text == "1e+20")
  }

  @Test(arguments: [
    "", " ", "{", "}", "[1", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "\"", "\"\\",
    "\"\\x\"",
    "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\\u\"", "\"a\nb\"", "01", "-", "1.", ".5", "1e", "+1", "tru", "nul",
    "truefalse",
    "1 2", "'a'", "status 1", "{\"a\":1}}",
  ])
  func anythingElseIsRefused(text: String) {
    #expect(JSON(parsing: text) == nil)
  }

  @Test func depthIsBounded() {
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    #expect(JSON(parsing: nested(32))?.text == nested(32))
    #expect(JSON(parsing: nested(33)) == nil)
    #expect(JSON(parsing: String(repeating: "[", count: 1_000_000)) == nil)
  }

  @Test func strictlyAValueHasOneMeaning() {
    func strictly(_ text: String) -> String? { JSON(strictly: Array(text.utf8))?.text }
    #expect(strictly(#"{"a":1,"b":[{"a":2},{"a":3}],"":null}"#) == #"{"a":1,"b":[{"a":2},{"a":3}],"":null}"#)
    #expect(strictly(#""\ud83e\udd8a""#) == "\"🦊\"")
    // Equivalent to Unicode, and yet different names.
    #expect(strictly(#"{"\u00e9":1,"e\u0301":2}"#) != nil)
    for text in [
      #"{"a":1,"a":1}"#, #"{"a":1,"\u0061":2}"#, #"[{"a":1,"b":2,"a":3}]"#, #""\ud83e""#, #""\udd8a""#,
      #""\udd8a\ud83e""#,
      #"{"\ud800":1}"#, "",
    ] {
      #expect(strictly(text) == nil, "\(text)")
    }
    for bytes: [UInt8] in [[0xFF], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xE2, 0x82]] {
      #expect(JSON(strictly: [0x22] + bytes + [0x22]) == nil)
    }
  }
}
