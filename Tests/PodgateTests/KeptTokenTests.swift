import Testing

@testable import PodgateCore

@Suite struct KeptTokenTests {
  @Test(arguments: [
    "0123456789abcdeffedcba987654321000000000000000000000000000000001",
    // Not podd's: a letter in upper case, another one, other lengths.
    "0123456789ABCDEFfedcba987654321000000000000000000000000000000001",
    "0123456789abcdegfedcba987654321000000000000000000000000000000001",
    "0123456789abcdef", "", "é", String(repeating: "0", count: 128),
  ])
  func aTokenComesBackAsItWas(text: String) {
    let token = KeptToken(text)
    var bytes: [UInt8] = Array("X-Token: ".utf8)
    token.append(to: &bytes)
    #expect(String(decoding: bytes, as: UTF8.self) == "X-Token: \(text)")
    #expect(token.count == text.utf8.count)
  }

  @Test func poddsTokensNeedNoMemoryBesideThis() {
    let podds = KeptToken(String(repeating: "a1", count: 32))
    guard case .bits = podds else {
      Issue.record("it is kept as text")
      return
    }
    #expect(MemoryLayout<KeptToken>.stride == 40)
  }
}
