import PodAPI
import PodModel
import Systemd
import Time

/// Front doors that hold a pod's new requests while it is replaced: a program that binds its socket itself has a
/// gap, and clients then see only a delay. A front door attaches itself over D-Bus and acknowledges each hold
/// (org.podctl1(5)).
@LoopActor
final class FrontDoors {
  /// How long a drain waits for acknowledgements: a front door that hangs must not block it.
  private static let patience: Microseconds = .seconds(1)

  /// Announce a hold and its release to all front doors; set while podd is on the bus.
  var onHold: @LoopActor (HoldRequest) -> Void = { _ in }
  var onRelease: @LoopActor (HoldRelease) -> Void = { _ in }

  private struct Hold {
    let pod: PodName
    /// Unique bus names of the front doors that have not acknowledged it.
    var unanswered: Set<String>
    var waiting: UnsafeContinuation<Void, Never>?
  }

  /// Unique bus names.
  private var attached: Set<String> = []
  private var holds: [UInt64: Hold] = [:]
  private var lastNumber: UInt64 = 0

  func attach(_ name: String) { attached.insert(name) }

  func detach(_ name: String) {
    guard attached.remove(name) != nil else { return }
    for number in holds.keys { recordAnswer(to: number, by: name) }
  }

  /// Returns whether there is such a hold.
  func acknowledge(_ number: UInt64, by name: String) -> Bool {
    guard holds[number] != nil else { return false }
    recordAnswer(to: number, by: name)
    return true
  }

  private func recordAnswer(to number: UInt64, by name: String) {
    holds[number]?.unanswered.remove(name)
    guard let hold = holds[number], hold.unanswered.isEmpty else { return }
    holds[number]?.waiting = nil
    hold.waiting?.resume()
  }

  /// Returns once every front door holds the pod's new requests, or has not answered for `patience`.
  func hold(_ pod: PodName, timeout: Microseconds) async {
    guard !attached.isEmpty else { return }
    lastNumber += 1
    let number = lastNumber
    holds[number] = Hold(pod: pod, unanswered: attached)
    onHold(HoldRequest(pod: pod.description, hold: number, timeout: timeout))
    let timer = try? EventSource.timer(EventLoop.main, after: Self.patience) { [weak self] in
      LoopActor.assumeIsolated { self?.giveUp(number) }
    }
    guard timer != nil else { return }
    await withUnsafeContinuation { holds[number]?.waiting = $0 }
  }

  private func giveUp(_ number: UInt64) {
    guard let hold = holds[number], let waiting = hold.waiting else { return }
    let names = hold.unanswered.sorted().joined(separator: ", ")
    Log.warning("\(hold.pod) drains although a front door does not answer (\(names)).")
    holds[number]?.waiting = nil
    waiting.resume()
  }

  func release(_ pod: PodName) {
    for (number, hold) in holds where hold.pod == pod {
      holds[number] = nil
      hold.waiting?.resume()
      onRelease(HoldRelease(pod: pod.description, hold: number))
    }
  }

  /// Unique names end with the connection; front doors attach themselves again.
  func connectionLost() {
    for name in attached { detach(name) }
  }
}
