import Systemd

/// Coalesces requests to refresh a pod's users: however many arrive while one runs, one more serves them all.
@LoopActor
final class UsersRefresh {
  private let work: @LoopActor () async -> UsersFile.Failure?
  private var requested = 0
  private var done = 0
  private var failure: UsersFile.Failure?
  private var running = false
  private var waiters: [UnsafeContinuation<Void, Never>] = []

  init(_ work: @escaping @LoopActor () async -> UsersFile.Failure?) {
    self.work = work
  }

  /// Returns when a refresh that began after this call has ended.
  func run() async throws(UsersFile.Failure) {
    requested += 1
    let mine = requested
    while done < mine {
      if running {
        await withUnsafeContinuation { waiters.append($0) }
        continue
      }
      running = true
      let serving = requested
      failure = await work()
      done = serving
      running = false
      let waiting = waiters
      waiters = []
      for waiter in waiting { waiter.resume() }
    }
    if let failure { throw failure }
  }
}

/// A bounded number of places, given out in the order of asking.
@LoopActor
final class Slots {
  private var free: Int
  private var waiters: [UnsafeContinuation<Void, Never>] = []

  init(_ count: Int) {
    free = count
  }

  func acquire() async {
    if free > 0 {
      free -= 1
      return
    }
    await withUnsafeContinuation { waiters.append($0) }
  }

  func release() {
    guard !waiters.isEmpty else {
      free += 1
      return
    }
    waiters.removeFirst().resume()
  }
}
