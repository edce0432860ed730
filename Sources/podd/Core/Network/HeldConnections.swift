import CLinux
import Glibc
import PodModel
import Systemd
import Time

/// Connection attempts to pods whose new connections are held. Their SYNs wait in the kernel's queue until
/// the release, so that a client waits exactly as long as the hold lasts. Without the queue, or when podd
/// ends, the kernel drops the SYNs, and TCP sends them again when its timer expires.
@LoopActor
final class HeldConnections {
  /// How many SYNs may wait; the kernel keeps about a kilobyte for each.
  private static let capacity: UInt32 = 4096
  /// How long the queue stays open after the last release, so that the next hold of a rollout finds it open.
  /// By then nft has removed the pod from its set.
  private static let linger: Microseconds = .seconds(15)

  /// The address in network byte order, the port in host byte order, as the queue has them.
  private struct Endpoint: Hashable {
    let address: UInt32
    let port: UInt16
  }

  /// The SYNs to one pod, by client.
  private final class Waiting {
    var packets: [Endpoint: HeldPacket] = [:]
    /// Fires when the kernel ends the hold by itself.
    var expiry: EventSource?
    /// For a sleeping pod, whose hold does not expire: called at each connection.
    var knock: (@LoopActor () -> Void)?
  }

  private var held: [Endpoint: Waiting] = [:]
  private var queue: PacketQueue?
  private var closing: EventSource?
  private var hasReported = false
  /// How many SYNs wait, of all pods.
  private var count = 0

  /// Whether SYNs can be held: where the kernel has no queue, or another program has it, they are dropped.
  var isAvailable: Bool {
    guard isOpen() else { return false }
    if held.isEmpty { closeLater() }
    return true
  }

  /// To be called before the kernel has the rule, so that no SYN reaches a queue without a reader. SYNs that
  /// already wait for the pod stay.
  func hold(address: String, port: Int, timeout: Microseconds) {
    guard let place = Self.endpoint(address, port), isOpen() else { return }
    closing = nil
    let waiting = held[place] ?? Waiting()
    held[place] = waiting
    guard waiting.knock == nil else { return }
    waiting.expiry = Self.timer(after: timeout) { [weak self] in self?.release(place) }
  }

  /// Holds until the release. Calls `knock` for each SYN, and soon also for those that already wait. False:
  /// the queue cannot be read, so podd would not learn of connections.
  func sleep(address: String, port: Int, knock: @escaping @LoopActor () -> Void) -> Bool {
    guard let place = Self.endpoint(address, port), isOpen() else { return false }
    closing = nil
    let waiting = held[place] ?? Waiting()
    held[place] = waiting
    waiting.expiry = nil
    waiting.knock = knock
    if !waiting.packets.isEmpty { loopTask { knock() } }
    return true
  }

  /// Releases queued SYNs in order of arrival. SYNs that still reach the queue before the kernel's set is
  /// updated are accepted at once.
  func release(address: String, port: Int) {
    if let place = Self.endpoint(address, port) { release(place) }
  }

  private func release(_ place: Endpoint) {
    guard let waiting = held.removeValue(forKey: place) else { return }
    for id in waiting.packets.values.map(\.id).sorted() { queue?.accept(id) }
    count -= waiting.packets.count
    if held.isEmpty { closeLater() }
  }

  private func closeLater() {
    closing = Self.timer(after: Self.linger) { [weak self] in self?.close() }
  }

  // MARK: The queue

  private func isOpen() -> Bool {
    if queue != nil { return true }
    do throws(Errno) {
      queue = try PacketQueue(number: PacketFilter.holdQueue, capacity: Self.capacity) { [weak self] in
        self?.arrived($0)
      }
      return true
    } catch {
      if !hasReported {
        Log.warning(
          "New connections to a held pod must wait until TCP tries again, which takes seconds: \(error)")
      }
      hasReported = true
      return false
    }
  }

  private func close() {
    closing = nil
    queue = nil
  }

  private func arrived(_ packet: linux_queued_packet) {
    let place = Endpoint(address: packet.destination, port: packet.destination_port)
    guard let waiting = held[place] else {
      queue?.accept(packet.id)
      return
    }
    let client = Endpoint(address: packet.source, port: packet.source_port)
    let now = EventLoop.main.now()
    defer { waiting.knock?() }
    if let older = waiting.packets[client] {
      // The client sent its SYN again. The newer SYN has the newer time stamp, and may belong to another
      // connection from the same port.
      queue?.drop(older.id)
      waiting.packets[client] = older.sentAgain(as: packet.id, at: now)
      return
    }
    if !hasRoom(waiting) { dropAbandoned(at: now) }
    guard hasRoom(waiting) else {
      queue?.drop(packet.id)
      return
    }
    waiting.packets[client] = HeldPacket(id: packet.id, at: now)
    count += 1
  }

  private func hasRoom(_ waiting: Waiting) -> Bool {
    HeldPacket.hasRoom(ofPod: waiting.packets.count, all: count, capacity: Int(Self.capacity))
  }

  /// Drops the SYNs of clients that have given up.
  private func dropAbandoned(at now: LoopTime) {
    for waiting in held.values {
      for (client, packet) in waiting.packets where packet.isAbandoned(at: now) {
        queue?.drop(packet.id)
        waiting.packets[client] = nil
        count -= 1
      }
    }
  }

  // MARK: Helpers

  private static func endpoint(_ address: String, _ port: Int) -> Endpoint? {
    guard let port = UInt16(exactly: port), let binary = ipv4(address) else { return nil }
    return Endpoint(address: binary, port: port)
  }

  /// Accurate to the second, so that timers fire together.
  private static func timer(after: Microseconds, _ body: @escaping @LoopActor () -> Void) -> EventSource? {
    do throws(Errno) {
      return try EventSource.timer(EventLoop.main, after: after, accuracy: .seconds(1)) {
        LoopActor.assumeIsolated { body() }
      }
    } catch {
      Log.error("\(error)")
      return nil
    }
  }
}
