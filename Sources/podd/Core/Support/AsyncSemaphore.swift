import Systemd

/// A bounded number of places, given out in the order of asking.
@LoopActor
final class AsyncSemaphore {
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
