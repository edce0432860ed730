import CLinux
import Glibc
import PodModel
import Systemd

/// The connection attempts to pods that are held: their SYNs wait in the kernel and go on at the release, so that a
/// client's pause is the hold itself. Without the queue, and for what waits when podd ends, the kernel drops them, and
/// TCP tries again when its timer says so.
@LoopActor
final class HeldConnections {
  /// Of SYNs that wait: the kernel keeps about a kilobyte for each.
  private static let capacity: UInt32 = 4096
  /// So that a flood of one pod leaves room for others.
  private static let capacityPerPod = 1024
  /// The next hold of a rollout finds the queue open, and nft has long taken the pod off its set.
  private static let lingerUSec: UInt64 = 15_000_000

  /// Network and host byte order, as the queue has them.
  private struct Endpoint: Hashable {
    let address: UInt32
    let port: UInt16
  }

  /// The SYNs to one pod, by whose they are.
  private final class Waiting {
    var packets: [Endpoint: UInt32] = [:]
    /// When the kernel ends the hold by itself.
    var expiry: EventSource?
    /// Of a pod that sleeps: to be told of who comes. Such a hold has no end of its own.
    var knock: (@LoopActor () -> Void)?
  }

  private var held: [Endpoint: Waiting] = [:]
  private var queue: PacketQueue?
  private var closing: EventSource?
  private var hasTold = false

  /// To be called before the kernel is told, so that no SYN finds the queue without a reader. One that is held already
  /// keeps who waits.
  func hold(address: String, port: Int, timeoutUSec: UInt64) {
    guard let place = Self.endpoint(address, port), isOpen() else { return }
    closing = nil
    let waiting = held[place] ?? Waiting()
    held[place] = waiting
    guard waiting.knock == nil else { return }
    waiting.expiry = Self.timer(after: timeoutUSec) { [weak self] in self?.release(place) }
  }

  /// The same without an end, until the release. Calls `knock` for each who comes, soon also for those who wait
  /// already. False: nobody would see them come.
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

  /// Who waits goes on, in the order of arrival. So does at once who still comes by way of the queue, until the kernel
  /// has been told.
  func release(address: String, port: Int) {
    if let place = Self.endpoint(address, port) { release(place) }
  }

  private func release(_ place: Endpoint) {
    guard let waiting = held.removeValue(forKey: place) else { return }
    for id in waiting.packets.values.sorted() { queue?.accept(id) }
    if held.isEmpty {
      closing = Self.timer(after: Self.lingerUSec) { [weak self] in self?.close() }
    }
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
      if !hasTold {
        Log.warning(
          "Who connects to a pod that is held waits for TCP to try again, which takes seconds: \(error)")
      }
      hasTold = true
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
    defer { waiting.knock?() }
    if let older = waiting.packets[client] {
      // Sent again. The newer one has the newer time stamp, and may be of another connection from the same port.
      queue?.drop(older)
    } else if waiting.packets.count >= Self.capacityPerPod {
      queue?.drop(packet.id)
      return
    }
    waiting.packets[client] = packet.id
  }

  // MARK: Helpers

  private static func endpoint(_ address: String, _ port: Int) -> Endpoint? {
    guard let port = UInt16(exactly: port), let binary = ipv4(address) else { return nil }
    return Endpoint(address: binary, port: port)
  }

  /// To the second, together with others.
  private static func timer(after: UInt64, _ body: @escaping @LoopActor () -> Void) -> EventSource? {
    do throws(Errno) {
      return try EventSource.timer(EventLoop.main, after: after, accuracy: 1_000_000) {
        LoopActor.assumeIsolated { body() }
      }
    } catch {
      Log.error("\(error)")
      return nil
    }
  }
}
