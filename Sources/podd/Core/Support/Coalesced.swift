import Systemd

/// Work whose result many callers share: calls that come while it is under way are served together by one
/// more run.
@LoopActor
final class Coalesced<Result> {
  private let work: @LoopActor () async -> Result
  private var asked = 0
  private var done = 0
  private var last: Result?
  private var isUnderWay = false
  private var waiters: [UnsafeContinuation<Void, Never>] = []

  init(_ work: @escaping @LoopActor () async -> Result) {
    self.work = work
  }

  /// The result of work that began after this call.
  func run() async -> Result {
    asked += 1
    let mine = asked
    while true {
      if done >= mine, let last { return last }
      if isUnderWay {
        await withUnsafeContinuation { waiters.append($0) }
        continue
      }
      isUnderWay = true
      let serving = asked
      last = await work()
      done = serving
      isUnderWay = false
      let waiting = waiters
      waiters = []
      for waiter in waiting { waiter.resume() }
    }
  }
}
