import CLinux
import Linux
import Synchronization

/// Runs the history's jobs one after the other on a thread of its own that exists only while there are any: neither
/// podd's loop nor a placement waits for them.
public final class HistoryWorker: Sendable {
  private typealias Job = @Sendable (HistoryStore) -> Void

  private struct State {
    var waiting: [Job] = []
    var threadRuns = false
  }

  private let store: HistoryStore
  private let limit: Int
  private let state = Mutex(State())

  /// - Parameter limit: how many jobs may wait; beyond it they are refused with `.busy`.
  public init(_ store: HistoryStore, limit: Int = 256) {
    self.store = store
    self.limit = limit
  }

  /// Runs a job on the history's thread and resumes on the caller's executor.
  public func run<T: Sendable>(
    _ body: @escaping @Sendable (HistoryStore) throws(StoreError) -> T
  ) async throws(StoreError) -> T {
    let result = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<T, StoreError>, Never>) in
      let refusal = enqueue { store in
        continuation.resume(returning: Result { () throws(StoreError) -> T in try body(store) })
      }
      if let refusal { continuation.resume(returning: .failure(refusal)) }
    }
    return try result.get()
  }

  private func enqueue(_ job: @escaping Job) -> StoreError? {
    state.withLock { state in
      guard state.waiting.count < limit else {
        return .busy(file: store.file, cause: "\(limit) jobs wait for it")
      }
      state.waiting.append(job)
      guard !state.threadRuns else { return nil }
      do throws(Errno) {
        try DetachedThread.start { self.drain() }
        state.threadRuns = true
        return nil
      } catch {
        state.waiting.removeLast()
        return .busy(file: store.file, cause: "no thread can be started (errno \(error.code))")
      }
    }
  }

  private func drain() {
    while true {
      let job = state.withLock { state -> Job? in
        guard !state.waiting.isEmpty else {
          state.threadRuns = false
          return nil
        }
        return state.waiting.removeFirst()
      }
      guard let job else { break }
      job(store)
    }
    // An hour that was packed leaves more behind than podd should carry for the next.
    linux_trim_heap()
  }
}
