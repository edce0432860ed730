import PodModel
import Systemd

/// Front doors that hold requests to a pod while it is replaced, so that not even the gap of a program that binds
/// by itself is noticed. They make themselves known over D-Bus and answer each hold (org.podctl1(5)).
@LoopActor
final class FrontDoors {
  /// How long a drain waits for a front door's answer, microseconds: one that hangs must not hold it up.
  private static let patience: UInt64 = 1_000_000

  /// Tells the attached front doors; set while podd is on the bus.
  var tell: @LoopActor (Message) -> Void = { _ in }

  enum Message {
    case hold(PodName, number: UInt64, timeoutUSec: UInt64)
    case release(PodName, number: UInt64)
  }

  private struct Hold {
    let pod: PodName
    var unanswered: Set<String>
    var waiting: UnsafeContinuation<Void, Never>?
  }

  /// Unique bus names.
  private var attached: Set<String> = []
  private var holds: [UInt64: Hold] = [:]
  private var last: UInt64 = 0

  func attach(_ name: String) { attached.insert(name) }

  func detach(_ name: String) {
    guard attached.remove(name) != nil else { return }
    for number in holds.keys { answered(number, by: name) }
  }

  /// Returns whether there is such a hold.
  func acknowledge(_ number: UInt64, by name: String) -> Bool {
    guard holds[number] != nil else { return false }
    answered(number, by: name)
    return true
  }

  private func answered(_ number: UInt64, by name: String) {
    holds[number]?.unanswered.remove(name)
    guard let hold = holds[number], hold.unanswered.isEmpty else { return }
    holds[number]?.waiting = nil
    hold.waiting?.resume()
  }

  /// Returns once every front door holds new requests to the pod, or has had its time to.
  func hold(_ pod: PodName, timeoutUSec: UInt64) async {
    guard !attached.isEmpty else { return }
    last += 1
    let number = last
    holds[number] = Hold(pod: pod, unanswered: attached)
    tell(.hold(pod, number: number, timeoutUSec: timeoutUSec))
    let timer = try? EventSource.timer(EventLoop.main, after: Self.patience) { [weak self] in
      LoopActor.assumeIsolated { self?.giveUp(number) }
    }
    guard timer != nil else { return }
    await withUnsafeContinuation { holds[number]?.waiting = $0 }
  }

  private func giveUp(_ number: UInt64) {
    guard let hold = holds[number], let waiting = hold.waiting else { return }
    let names = hold.unanswered.sorted().joined(separator: ", ")
    Log.warning("\(hold.pod) drains without the front door that does not answer (\(names)).")
    holds[number]?.waiting = nil
    waiting.resume()
  }

  func release(_ pod: PodName) {
    for (number, hold) in holds where hold.pod == pod {
      holds[number] = nil
      hold.waiting?.resume()
      tell(.release(pod, number: number))
    }
  }

  /// Their names went with the bus; whoever is still there attaches itself again.
  func connectionLost() {
    for name in attached { detach(name) }
  }
}
