import Cgroup
import Glibc
import PodModel
import PodStore
import Systemd
import Time

/// How a pod gives up memory in a shortage.
extension Pod {
  /// The last action in a shortage, for `explain`.
  struct GivenUp {
    let at: WallTime
    let sentence: String
  }

  /// Bytes for one write to memory.reclaim, which returns when the kernel has reclaimed them or finds no
  /// more.
  private static let reclaimStep: UInt64 = 16 << 20
  /// How long podd waits for a stop before it turns to other pods.
  private static let patience: Microseconds = .seconds(5)

  /// Returns how many bytes it has given up, as far as that is known by then.
  func giveUpMemory(_ step: Shortage.Step) async -> UInt64 {
    guard let scope else { return 0 }
    let before = scope.number(InterfaceFile.memoryCurrent) ?? 0
    let begun = EventLoop.main.now()
    var freed: UInt64 = 0
    var text: String
    switch step.act {
    case .reclaim(let bytes):
      await reclaim(bytes, from: scope)
      freed = before - min(before, scope.number(InterfaceFile.memoryCurrent) ?? before)
      text = "gave \(freed >> 10) KiB back"
    case .freeze:
      guard await freezeUnlessUsed() else { return 0 }
      await reclaim(before, from: scope)
      freed = before - min(before, scope.number(InterfaceFile.memoryCurrent) ?? before)
      text = "is frozen and gave \(freed >> 10) KiB back"
    case .stop:
      handle(.stopGracefully(.pressure, then: .cold))
      let deadline = begun + Self.patience
      while state == .stopping || state == .draining, EventLoop.main.now() < deadline {
        // A read of the state in memory, for five seconds at most; ``waitUntilGone()`` may take minutes.
        await EventLoop.main.sleep(.milliseconds(50))
      }
      freed = before
      text = "is stopped and frees \(freed >> 10) KiB; the next connection wakes it"
    }
    let idle = step.idle + (EventLoop.main.now() - begun)
    let event = PodEvent.gaveMemory(subject, step, idle: idle, freed: freed, text)
    // As a clause of `podctl explain`, without the full stop.
    givenUp = GivenUp(at: Clock.wall, sentence: String(event.sentence.dropLast()))
    host.report(event)
    return freed
  }

  /// Reclaims in steps, off the loop.
  private func reclaim(_ bytes: UInt64, from scope: RunningScope) async {
    let path = scope.cgroupPath
    var left = bytes
    let asked = state
    // A frozen pod that is woken meanwhile keeps the rest of its memory.
    while left > 0, scope === self.scope, state == asked {
      let amount = min(left, Self.reclaimStep)
      // False: less could be reclaimed, so there is no more to be had.
      let isDone = try? await BackgroundThread.run { (try? Cgroup.reclaim(amount, path: path)) != nil }
      guard isDone == true else { return }
      left -= amount
    }
  }
}
