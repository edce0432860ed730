import CLinux
import Glibc
import PodModel
import Systemd

/// The kernel's events about the table `inet podctl`, from the netlink group to which `nft monitor` listens.
/// There are none while the ruleset does not change.
@LoopActor
final class FirewallEvents {
  private let socket: FileDescriptor
  private var source: EventSource?

  /// Calls `handler` with the last event of each burst of changes.
  init(_ handler: @escaping @LoopActor (PacketFilter.Event) -> Void) throws(Errno) {
    let raw = linux_nftables_events()
    guard raw >= 0 else { throw Errno(raw, "subscribe to nftables events") }
    socket = FileDescriptor(owning: raw)
    source = try EventSource.io(EventLoop.main, descriptor: raw, events: PollEvents.input) { _ in
      LoopActor.assumeIsolated {
        if let last = Self.drain(raw) { handler(last) }
      }
    }
  }

  /// The last pending event: in a reload the table vanishes and appears, and only the result matters.
  /// Bounded, so that another program's endless changes do not block the loop.
  private static func drain(_ raw: CInt) -> PacketFilter.Event? {
    var last: PacketFilter.Event?
    var buffer = [UInt8](repeating: 0, count: 32_768)
    for _ in 0..<64 {
      let got = buffer.withUnsafeMutableBytes { recv(raw, $0.baseAddress, $0.count, 0) }
      if got > 0 {
        last = PacketFilter.events(in: buffer[0..<got]).last ?? last
      } else if got < 0 && errno == ENOBUFS {
        // There were more changes than the socket holds. An event of our table may be lost, so the rules are
        // checked.
        last = .vanished
      } else {
        break
      }
    }
    return last
  }
}
