import Systemd

/// Work that serves all who ask for it: however many come while it is under way, it is done once more for
/// them together.
@LoopActor
final class Coalesced {
  private let work: @LoopActor () async -> Void
  private var asked = 0
  private var done = 0
  private var isUnderWay = false
  private var waiters: [UnsafeContinuation<Void, Never>] = []

  init(_ work: @escaping @LoopActor () async -> Void) {
    self.work = work
  }

  /// Returns when work that began after this call has ended.
  func run() async {
    asked += 1
    let mine = asked
    while done < mine {
      if isUnderWay {
        await withUnsafeContinuation { waiters.append($0) }
        continue
      }
      isUnderWay = true
      let serving = asked
      await work()
      done = serving
      isUnderWay = false
      let waiting = waiters
      waiters = []
      for waiter in waiting { waiter.resume() }
    }
  }
}
