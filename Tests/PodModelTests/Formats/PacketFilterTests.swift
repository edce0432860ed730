import PodModel
import Testing
import Time
import TimeLiterals

@Suite struct PacketFilterTests {
  private func content(
    opened: [(uid: UInt32, words: [String])] = [], held: [PacketFilter.Hold] = [], visitors: [UInt32]? = nil
  ) throws -> PacketFilter.Content {
    try PacketFilter.Content(opened: opened, held: held, visitors: visitors)
  }

  // MARK: All of it

  @Test func nothingEmptiesEverything() throws {
    #expect(
      try content().script(now: 0) == """
        flush set inet podctl allowed4
        flush set inet podctl allowed6
        flush set inet podctl held
        flush chain inet podctl visiting

        """)
  }

  @Test func eachPodOpensWhatItsWorkloadNames() throws {
    let text = try content(opened: [
      (1_900_000_001, ["10.9.9.1", "2001:db8::/32"]), (1_900_000_002, ["localhost"]),
    ]).script(now: 0)
    #expect(
      text.hasPrefix(
        """
        flush set inet podctl allowed4
        add element inet podctl allowed4 { 1900000001 . 10.9.9.1/32, 1900000002 . 127.0.0.0/8 }
        flush set inet podctl allowed6
        add element inet podctl allowed6 { 1900000001 . 2001:db8:0:0:0:0:0:0/32, 1900000002 . 0:0:0:0:0:0:0:1/128 }

        """))
  }

  @Test func rangesWithinOthersAreLeftOutForOnePodOnly() throws {
    let text = try content(opened: [
      (1, ["10.1.0.0/16", "10.0.0.0/8", "10.0.0.0/8"]), (2, ["10.1.0.0/16"]),
    ]).script(now: 0)
    #expect(text.contains("{ 1 . 10.0.0.0/8, 2 . 10.1.0.0/16 }"))
  }

  @Test(arguments: [
    ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/9", "10.128.0.0/9", false),
    ("10.0.0.0/8", "11.0.0.0/8", false),
    ("0.0.0.0/0", "1.2.3.4", true), ("1.2.3.4", "0.0.0.0/0", false), ("::/0", "1.2.3.4", false),
    ("fe80::/10", "febf::1", true), ("fe80::/10", "fec0::1", false),
  ])
  func aPrefixContains(_ outer: String, _ inner: String, _ wanted: Bool) throws {
    #expect(try IPPrefix(parsing: outer).contains(IPPrefix(parsing: inner)) == wanted)
  }

  // MARK: Holds

  private func hold(_ last: Int, until deadline: LoopTime) -> PacketFilter.Hold {
    PacketFilter.Hold(address: "127.77.0.\(last)", port: 10_000 + last, deadline: deadline)
  }

  @Test func eachHoldKeepsItsDeadline() throws {
    let all = try content(held: [
      hold(1, until: .zero + .seconds(30)), hold(2, until: .zero + .seconds(12) + 1),
    ])
    #expect(
      all.script(now: 0).contains(
        """
        flush set inet podctl held
        add element inet podctl held { 127.77.0.1 . 10001 timeout 30s, 127.77.0.2 . 10002 timeout 13s }

        """))
    // Written again later: what is left of it, and not all of it.
    let later = all.script(now: .zero + .seconds(12))
    #expect(later.contains("10001 timeout 18s, ") && later.contains("10002 timeout 1s }"))
  }

  @Test func aHoldThatIsOverIsLeftOut() throws {
    #expect(
      !(try content(held: [hold(1, until: 7), hold(2, until: 6)]).script(now: 7).contains("add element")))
  }

  // MARK: What differs

  @Test func aChangeLeavesAloneWhatIsThere() throws {
    let former = try content(
      opened: [(1, ["10.0.0.1"]), (2, ["10.0.0.2", "::1"])], held: [hold(1, until: .zero + .seconds(30))],
      visitors: [33])
    #expect(former.change(from: former, now: 0) == "")
    let next = try content(
      opened: [(2, ["10.0.0.2", "::1"]), (3, ["10.0.0.3"])],
      held: [hold(1, until: .zero + .seconds(30)), hold(2, until: .zero + .seconds(9))], visitors: [33])
    #expect(
      next.change(from: former, now: 0) == """
        delete element inet podctl allowed4 { 1 . 10.0.0.1/32 }
        add element inet podctl allowed4 { 3 . 10.0.0.3/32 }
        add element inet podctl held { 127.77.0.2 . 10002 }
        delete element inet podctl held { 127.77.0.2 . 10002 }
        add element inet podctl held { 127.77.0.2 . 10002 timeout 9s }

        """)
  }

  @Test func aHoldThatEndsOrGetsAnotherDeadlineIsDeletedThoughTheKernelMayHaveEndedIt() throws {
    let former = try content(held: [hold(1, until: 5), hold(2, until: .zero + .seconds(4))])
    #expect(
      try content(held: [hold(2, until: .zero + .seconds(40))]).change(from: former, now: 6) == """
        add element inet podctl held { 127.77.0.1 . 10001, 127.77.0.2 . 10002 }
        delete element inet podctl held { 127.77.0.1 . 10001, 127.77.0.2 . 10002 }
        add element inet podctl held { 127.77.0.2 . 10002 timeout 40s }

        """)
  }

  // MARK: Events

  private func attribute(_ type: UInt8, _ content: [UInt8]) -> [UInt8] {
    [UInt8(content.count + 4), 0, type, 0] + content
      + [UInt8](repeating: 0, count: (4 - content.count % 4) % 4)
  }

  private func message(_ type: UInt8, _ attributes: [UInt8]) -> [UInt8] {
    [UInt8(20 + attributes.count), 0, 0, 0, type, 10] + [UInt8](repeating: 0, count: 10) + [1, 0, 0, 0]
      + attributes
  }

  private func table(_ type: UInt8, _ name: String) -> [UInt8] {
    message(type, attribute(1, Array(name.utf8) + [0]))
  }

  @Test func ourTableComesAndGoes() {
    // NFT_MSG_NEWTABLE is 0, NFT_MSG_DELTABLE 2, and 15 ends a transaction.
    #expect(PacketFilter.events(in: table(2, "podctl") + message(15, [])) == [.vanished])
    #expect(PacketFilter.events(in: table(2, "podctl") + table(0, "podctl")) == [.vanished, .appeared])
  }

  @Test func otherTablesAndObjectsDoNotMatter() {
    // 3 is a new chain: its first attribute is its table's name too.
    #expect(PacketFilter.events(in: table(2, "filter") + table(3, "podctl") + table(0, "podctl2")) == [])
    #expect(
      PacketFilter.events(
        in: message(2, attribute(2, [0, 0, 0, 0]) + attribute(1, Array("podctl".utf8) + [0])))
        == [.vanished])
  }

  @Test func aCutMessageEndsTheReading() {
    let whole = table(2, "podctl")
    for count in 0..<whole.count { #expect(PacketFilter.events(in: whole.prefix(count)) == []) }
    var tooLong = whole
    tooLong[20] = 200
    #expect(PacketFilter.events(in: tooLong) == [])
    var tooShort = whole
    tooShort[0] = 3
    #expect(PacketFilter.events(in: tooShort) == [])
  }

  // MARK: Who may connect

  @Test func everybodyMayConnectUnlessUsersAreNamed() throws {
    let everybody = try content()
    let named = try content(visitors: [33, 1000, 33])
    #expect(everybody.change(from: named, now: 0) == "flush chain inet podctl visiting\n")
    #expect(
      named.change(from: everybody, now: 0) == """
        flush chain inet podctl visiting
        add rule inet podctl visiting meta skuid != { 0, 33, 1000 } goto refused

        """)
    #expect(try content(visitors: []).script(now: 0).contains("{ 0 }"))
  }
}
