import CLinux
import Testing

/// `linux_queue_parse` on what Linux 6.1 sends for a SYN to 127.77.0.1:10001, and on what is cut or foreign.
@Suite struct PacketQueueTests {
  private func attribute(_ type: UInt8, _ content: [UInt8]) -> [UInt8] {
    [UInt8(content.count + 4), 0, type, 0] + content
      + [UInt8](repeating: 0, count: (4 - content.count % 4) % 4)
  }

  /// `NFNL_SUBSYS_QUEUE` is 3, `NFQNL_MSG_PACKET` 0.
  private func message(_ attributes: [UInt8], subsystem: UInt8 = 3, type: UInt8 = 0) -> [UInt8] {
    [UInt8(20 + attributes.count), 0, 0, 0, type, subsystem] + [UInt8](repeating: 0, count: 10) + [
      2, 0, 0, 77,
    ]
      + attributes
  }

  /// `NFQA_PACKET_HDR`: id, protocol, hook.
  private func header(id: UInt8) -> [UInt8] { attribute(1, [0, 0, 1, id, 8, 0, 1]) }

  /// `NFQA_PAYLOAD`: from 127.76.0.1:40000, with so many words of IP options.
  private func packet(options: UInt8 = 0, transport: UInt8 = 6, version: UInt8 = 4) -> [UInt8] {
    attribute(
      10,
      [
        version << 4 | (5 + options), 0, 0, 44, 0, 0, 0x40, 0, 64, transport, 0, 0, 127, 76, 0, 1, 127, 77, 0,
        1,
      ]
        + [UInt8](repeating: 1, count: Int(options) * 4) + [0x9C, 0x40, 0x27, 0x11])
  }

  private func parse(_ datagram: [UInt8]) -> linux_queued_packet? {
    var packet = linux_queued_packet()
    return linux_queue_parse(datagram, datagram.count, &packet) == 1 ? packet : nil
  }

  private func bytes(_ address: UInt32) -> [UInt8] { withUnsafeBytes(of: address) { Array($0) } }

  @Test(arguments: [0, 10] as [UInt8])
  func aSYNIsReadWithItsOptions(options: UInt8) throws {
    // NFQA_MARK: what else the kernel tells is passed over.
    let found = try #require(
      parse(message(header(id: 5) + attribute(3, [0, 0, 0, 1]) + packet(options: options))))
    #expect(found.id == 0x105)
    #expect(bytes(found.source) == [127, 76, 0, 1])
    #expect(bytes(found.destination) == [127, 77, 0, 1])
    #expect(found.source_port == 40000)
    #expect(found.destination_port == 10001)
  }

  @Test func whatIsNotTCPOverIPv4HasAnIDAlone() throws {
    for foreign in [packet(transport: 17), packet(version: 6), attribute(10, [0x45]), []] {
      let found = try #require(parse(message(header(id: 7) + foreign)))
      #expect(found.id == 0x107)
      #expect(found.destination == 0)
      #expect(found.destination_port == 0)
    }
  }

  @Test func otherMessagesAreNoPackets() {
    #expect(parse(message(packet())) == nil)
    #expect(parse(message(header(id: 1) + packet(), subsystem: 10)) == nil)
    #expect(parse(message(header(id: 1) + packet(), type: 2)) == nil)
    #expect(parse([]) == nil)
  }

  @Test func aCutOrImpossibleMessageIsReadAsFarAsItGoes() {
    let whole = message(header(id: 1) + packet())
    for count in 0..<whole.count { #expect(parse(Array(whole.prefix(count))) == nil) }
    for length in [0, 1, 3, 200] as [UInt8] {
      var impossible = whole
      impossible[20] = length
      #expect(parse(impossible) == nil)
      impossible = whole
      impossible[32] = length
      #expect(parse(impossible)?.destination_port == 0)
    }
  }

  @Test func aHeaderThatIsLongerThanTheCopyNamesNoPort() throws {
    var cut = packet()
    cut[4] = 0x4F
    #expect(try #require(parse(message(header(id: 1) + cut))).destination_port == 0)
    cut[4] = 0x44
    #expect(try #require(parse(message(header(id: 1) + cut))).destination_port == 0)
  }
}
