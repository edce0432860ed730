import Systemd

/// At most `count` callers at a time; the others wait in the order of their arrival.
@LoopActor
final class AsyncSemaphore {
  /// May change at any time. A higher number admits callers who wait; a lower one takes nothing away from
  /// callers who are in.
  var count: Int {
    didSet { admit() }
  }
  private var taken = 0
  private var waiters: [UnsafeContinuation<Void, Never>] = []

  init(_ count: Int) {
    self.count = count
  }

  /// Whether nobody is in or waits.
  var isIdle: Bool { taken == 0 && waiters.isEmpty }

  func acquire() async {
    if taken < count {
      taken += 1
      return
    }
    await withUnsafeContinuation { waiters.append($0) }
  }

  func release() {
    taken -= 1
    admit()
  }

  private func admit() {
    while taken < count, !waiters.isEmpty {
      taken += 1
      waiters.removeFirst().resume()
    }
  }
}
