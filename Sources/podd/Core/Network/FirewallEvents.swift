import CLinux
import Glibc
import PodModel
import Systemd

/// The kernel's own word on when the table `inet podctl` comes and goes: the group that `nft monitor` listens
/// to. Nothing is heard while nobody changes the ruleset.
@LoopActor
final class FirewallEvents {
  private let socket: FileDescriptor
  private var source: EventSource?

  /// Calls `handler` with what holds after each burst of changes.
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

  /// The last event that is waiting: a reload is a table that goes and one that comes, and only the end of it
  /// matters. Bounded, so that somebody's endless changes do not hold up the loop.
  private static func drain(_ raw: CInt) -> PacketFilter.Event? {
    var last: PacketFilter.Event?
    var buffer = [UInt8](repeating: 0, count: 32_768)
    for _ in 0..<64 {
      let got = buffer.withUnsafeMutableBytes { recv(raw, $0.baseAddress, $0.count, 0) }
      if got > 0 {
        last = PacketFilter.events(in: buffer[0..<got]).last ?? last
      } else if got < 0 && errno == ENOBUFS {
        // More changes than the socket holds: what was lost may have been ours, so have it looked at.
        last = .vanished
      } else {
        break
      }
    }
    return last
  }
}
