import Testing

@testable import HTTPWire

@Suite struct QueryTests {
  private func query(_ text: String) throws(HTTPError) -> Query { try Query(Array(text.utf8)[...]) }

  @Test func decodesPercentAndPlus() throws {
    let query = try query("p=a%2Fb&s=x+y%2b%C3%B6&e=&k&&c=1.1.1/1")
    #expect(query["p"] == Array("a/b".utf8))
    #expect(query["s"] == Array("x y+ö".utf8))
    #expect(query["e"] == [])
    #expect(query["k"] == [])
    #expect(query["c"] == Array("1.1.1/1".utf8))
    #expect(query["z"] == nil)
  }

  @Test(arguments: ["a=%", "a=%4", "a=%zz", "%", "a=1&a=2", "a=1&%61=2"])
  func refuses(text: String) {
    #expect(throws: HTTPError.self) { _ = try query(text) }
  }

  @Test(arguments: [
    (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
    (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"), (951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"),
    (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"), (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
  ])
  func datesAreThoseOfTheCalendar(seconds: Int, expected: String) {
    #expect(httpDate(seconds) == expected)
  }
}
