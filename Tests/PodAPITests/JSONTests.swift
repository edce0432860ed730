import PodAPI
import Testing
import Time
import TimeLiterals

@Suite struct JSONTests {
  @Test func membersKeepTheirOrderAndAbsentIsNull() {
    let value = JSON.object([
      ("b", .uint(UInt64.max)), ("a", .optional("")), ("c", .array([.bool(true), .int(-1), .double(0.5)])),
    ])
    #expect(value.text == #"{"b":18446744073709551615,"a":null,"c":[true,-1,0.5]}"#)
  }

  @Test func everythingThatCouldEndAStringEarlyIsEscaped() {
    #expect(
      JSON.string("a\"b\\c\nd\re\tf\u{0}\u{1B}[0m\u{7F}").text
        == #""a\"b\\c\nd\re\tf\u0000\u001b[0m\u007f""#)
    #expect(JSON.string("ü🦊").text == "\"ü🦊\"")
  }

  @Test func invalidBytesBecomeTheReplacementCharacter() {
    #expect(
      JSON.string(String(decoding: [0x61, 0xED, 0xA0, 0x80] as [UInt8], as: UTF8.self)).text.utf8.allSatisfy {
        $0 != 0xA0
      })
  }

  @Test func infinityIsNull() {
    #expect(JSON.array([.double(.infinity), .double(.nan)]).text == "[null,null]")
  }

  @Test(arguments: [
    (0, "1970-01-01T00:00:00Z"), (951_782_400_000_000, "2000-02-29T00:00:00Z"),
    (1_709_164_799_999_999, "2024-02-28T23:59:59Z"), (4_107_542_399_000_000, "2100-02-28T23:59:59Z"),
    (4_107_542_400_000_000, "2100-03-01T00:00:00Z"),
  ])
  func timesAreRFC3339(microseconds: WallTime, expected: String) {
    #expect(Timestamp.rfc3339(microseconds) == expected)
  }

  @Test func fractionsHaveSixDigits() {
    #expect(Timestamp.rfc3339(1_000_042, fraction: true) == "1970-01-01T00:00:01.000042Z")
  }
}
