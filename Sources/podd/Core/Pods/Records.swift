import Linux
import PodStore
import Systemd
import Time

/// The store, for callers on the loop: writes that nobody waits for, and questions of callers who get a refusal.
@LoopActor
final class Records {
  let store: StoreWorker
  private var flushTimer: EventSource?

  init(_ store: StoreWorker) {
    self.store = store
  }

  /// Writes something that nobody waits for, before everything that is asked of the store later. A failure is logged here,
  /// once.
  func write(
    _ what: String, _ body: @escaping @Sendable (PlacementStore) throws(StoreError) -> Void
  ) {
    store.submit(body) { error in Log.error("Cannot record \(what): \(error)") }
    flushSoon()
  }

  /// Lets writes that nobody waits for go to the disk together with others: a start makes five records, and each wait for
  /// the disk costs as much as half the start.
  private func flushSoon() {
    guard flushTimer == nil else { return }
    do throws(Errno) {
      flushTimer = try EventSource.timer(EventLoop.main, after: .milliseconds(20), accuracy: .milliseconds(5))
      { [weak self] in
        LoopActor.assumeIsolated {
          guard let self else { return }
          self.flushTimer = nil
          if !self.store.flush() { self.flushSoon() }
        }
      }
    } catch {
      store.flush()
    }
  }

  /// Asks the store for a caller who gets its error as a refusal.
  func ask<Answer: Sendable>(
    _ body: @escaping @Sendable (PlacementStore) throws(StoreError) -> Answer
  ) async throws(Refusal) -> Answer {
    do throws(StoreError) {
      return try await store.run(body)
    } catch {
      throw Refusal(error)
    }
  }

  /// Returns when everything that was written is on the disk, or could not be.
  func written() async {
    try? await store.run { _ throws(StoreError) in }
  }
}
