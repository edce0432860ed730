import PodModel
import Testing

@Suite struct SocketTableTests {
  /// As Linux 6.1 prints it: a listener of podd's for a pod, one on all addresses, a connection, and one of IPv6.
  private let table = """
      sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
       0: 01004D7F:2711 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 18023 1 0000000000000000
       1: 00000000:2742 00000000:0000 0A 00000000:00000000 00:00000000 00000000   107        0 18100 1 0000000000000000
       2: 01004D7F:2711 01004C7F:B7C8 01 00000000:00000000 02:00000A2B 00000000     0        0 18200 2 0000000000000000
       3: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0 1900000001 0 18300 1 0
    """

  @Test func whatListensIsFoundWithItsPortUserAndDescriptor() {
    let found = SocketTable.listeners(in: table)
    #expect(found.map(\.port) == [10001, 10050, 8080])
    #expect(found.map(\.uid) == [0, 107, 1_900_000_001])
    #expect(found.map(\.link) == ["socket:[18023]", "socket:[18100]", "socket:[18300]"])
    #expect(found.map(\.isOfPods) == [true, false, false])
    #expect(found.map { PodName.uids.contains($0.uid) } == [false, false, true])
  }

  @Test func whatIsNoTableHasNoListeners() {
    #expect(SocketTable.listeners(in: "").isEmpty)
    #expect(SocketTable.listeners(in: "0: nonsense 0 0A 0 0 0 0 0 0\n0: 0:zz 0 0A 0 0 0 0 0 0 0").isEmpty)
  }
}
