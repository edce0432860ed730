import CLinux
import Glibc
import Systemd

/// The kernel's queue of packets that `queue num N` in units/podctl.nft hands over. Each packet waits in the
/// kernel until it is accepted or dropped. When this object goes, the kernel drops all packets that wait.
@LoopActor
final class PacketQueue {
  private let number: UInt16
  // Declared before the descriptor that it watches, so that it is released first.
  private var source: EventSource?
  private let socket: FileDescriptor

  /// Calls `handler` with each packet, which is to be accepted or dropped, now or later. At most `capacity`
  /// packets wait.
  init(
    number: UInt16, capacity: UInt32, _ handler: @escaping @LoopActor (linux_queued_packet) -> Void
  ) throws(Errno) {
    let raw = linux_queue_open(number, capacity)
    guard raw >= 0 else { throw Errno(raw, "bind packet queue \(number)") }
    self.number = number
    socket = FileDescriptor(owning: raw)
    source = try EventSource.io(EventLoop.main, descriptor: raw, events: PollEvents.input) { _ in
      LoopActor.assumeIsolated { Self.drain(raw, handler) }
    }
  }

  /// Reads a bounded number of packets, because a flood must not block the loop.
  private static func drain(_ raw: CInt, _ handler: @LoopActor (linux_queued_packet) -> Void) {
    var packet = linux_queued_packet()
    for _ in 0..<256 {
      guard linux_queue_receive(raw, &packet) == 1 else { return }
      handler(packet)
    }
  }

  func accept(_ id: UInt32) { decide(id, accepts: 1) }
  func drop(_ id: UInt32) { decide(id, accepts: 0) }

  private func decide(_ id: UInt32, accepts: CInt) {
    let result = linux_queue_verdict(socket.raw, number, id, accepts)
    if result < 0 { Log.debug("packet queue \(number): \(Errno(result)), ignoring") }
  }
}
