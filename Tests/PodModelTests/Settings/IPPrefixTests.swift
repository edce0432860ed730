import Glibc
import PodModel
import Seeded
import Testing

@Suite struct IPPrefixTests {
  @Test(arguments: [
    ("192.0.2.1", "192.0.2.1/32"), ("10.0.0.0/8", "10.0.0.0/8"), ("10.1.2.3/8", "10.0.0.0/8"),
    ("10.255.255.255/12", "10.240.0.0/12"), ("0.0.0.0/0", "0.0.0.0/0"), ("255.255.255.255/0", "0.0.0.0/0"),
    ("::", "0:0:0:0:0:0:0:0/128"), ("::1", "0:0:0:0:0:0:0:1/128"),
    ("2001:db8::/32", "2001:db8:0:0:0:0:0:0/32"),
    ("fe80::1:2/64", "fe80:0:0:0:0:0:0:0/64"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8/128"),
    ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0/128"), ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8/128"),
    ("::ffff:192.0.2.1", "0:0:0:0:0:ffff:c000:201/128"), ("ABCD::/16", "abcd:0:0:0:0:0:0:0/16"),
    ("ffff::/9", "ff80:0:0:0:0:0:0:0/9"),
  ])
  func reads(text: String, printed: String) throws {
    #expect(try IPPrefix(parsing: text).description == printed)
  }

  @Test(arguments: [
    "", "/", "/8", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1",
    "1.2.3.4/08", "1.2.3.4/255.0.0.0", "1.2.3.4 ", "::/129", ":", ":::", "1::2::3", ":1", "1:", ":1::2",
    "1::2:",
    "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "12345::", "g::",
    "fe80::1%eth0",
    "::1.2.3", "1.2.3.4::", "::1.2.3.4:5", "[::1]", "everything", "LOCALHOST", "1:2:3:4:5:6:7:1.2.3.4",
  ])
  func refuses(text: String) {
    #expect(throws: ValueError.self) { try IPPrefix.expand(text) }
  }

  @Test func words() throws {
    #expect(try IPPrefix.expand("any").map(\.description) == ["0.0.0.0/0", "0:0:0:0:0:0:0:0/0"])
    #expect(
      try IPPrefix.expand("localhost").map(\.description) == ["127.0.0.0/8", "0:0:0:0:0:0:0:1/128"])
    #expect(
      try IPPrefix.expand("link-local").map(\.description) == ["169.254.0.0/16", "fe80:0:0:0:0:0:0:0/64"])
    #expect(
      try IPPrefix.expand("multicast").map(\.description) == ["224.0.0.0/4", "ff00:0:0:0:0:0:0:0/8"])
  }

  @Test func familiesAreTheKernels() {
    #expect(IPPrefix.Family.inet.rawValue == AF_INET)
    #expect(IPPrefix.Family.inet6.rawValue == AF_INET6)
  }

  /// Ours and inet_pton(3) agree on every text made of the pieces that addresses are made of.
  @Test func agreesWithTheCLibrary() {
    let pieces = ["", "0", "1", "ff", "10000", "01", "::", ":", ".", "1.2.3.4", "255", "256", "%"]
    var random = SeededGenerator(7)
    for _ in 0..<20_000 {
      let count = Int.random(in: 1...12, using: &random)
      let text = (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
      var buffer = [UInt8](repeating: 0, count: 16)
      let family = text.utf8.contains(UInt8(ascii: ":")) ? AF_INET6 : AF_INET
      let isAddress = inet_pton(family, text, &buffer) == 1
      let ours = try? IPPrefix(parsing: text)
      #expect((ours != nil) == isAddress, "\(text)")
      if let ours { #expect(ours.address == Array(buffer.prefix(ours.address.count)), "\(text)") }
    }
  }
}
