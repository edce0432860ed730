import CLinux
import Linux
import Synchronization

/// Runs the store's jobs one after the other, in the order they came, on a thread of its own that exists
/// only while there are any: a slow disk stalls nothing but the answer that waits for it, and an idle podd
/// has one thread. Jobs that wait together are one transaction: the disk is what they all wait for.
///
/// GRDB's asynchronous interface is not used, because it would start threads of libdispatch that stay.
public final class StoreWorker: Sendable {
  /// Does the work and returns what tells the caller, which is called once the result is on the disk.
  private typealias Job = @Sendable (PlacementStore) -> Answer
  private typealias Answer = @Sendable () -> Void

  private struct State {
    var waiting: [Job] = []
    /// Jobs given and not yet finished.
    var pending = 0
    var threadRuns = false
    var doneSinceTrim = 0
  }

  private let store: PlacementStore
  private let limit: Int
  private let state = Mutex(State())

  /// The first of a group waits for the last.
  private static let groupLimit = 64
  private static let trimAfter = 128

  /// - Parameter limit: how many jobs may be pending; beyond it `run` throws `.busy`.
  public init(_ store: PlacementStore, limit: Int = 4096) {
    self.store = store
    self.limit = limit
  }

  /// Runs a job on the store's thread and resumes on the caller's executor. A job that was accepted is done
  /// even when the task that waits for it is cancelled: it may be on the disk already.
  public func run<T: Sendable>(
    _ body: @escaping @Sendable (PlacementStore) throws(StoreError) -> T
  ) async throws(StoreError) -> T {
    let result = await withCheckedContinuation {
      (continuation: CheckedContinuation<Result<T, StoreError>, Never>) in
      let refusal = enqueue(now: true) { store in
        let result = Result { () throws(StoreError) -> T in try body(store) }
        return { continuation.resume(returning: result) }
      }
      if let refusal { continuation.resume(returning: .failure(refusal)) }
    }
    return try result.get()
  }

  /// Takes a job that nobody waits for. It has its place in the order when this returns, and is done together
  /// with the next job that somebody waits for, or by ``flush()``. `failed` is called on the store's thread,
  /// or at once when the job is not accepted.
  public func submit(
    _ body: @escaping @Sendable (PlacementStore) throws(StoreError) -> Void,
    failed: @escaping @Sendable (StoreError) -> Void
  ) {
    let refusal = enqueue(now: false) { store in
      do throws(StoreError) {
        try body(store)
        return {}
      } catch {
        return { failed(error) }
      }
    }
    if let refusal { failed(refusal) }
  }

  /// Begins what was submitted and still waits. False: no thread can be started, so it waits on.
  @discardableResult
  public func flush() -> Bool {
    state.withLock { state in
      guard !state.waiting.isEmpty, !state.threadRuns else { return true }
      state.threadRuns = (try? startThread()) != nil
      return state.threadRuns
    }
  }

  /// Runs a job on the calling thread: for podd's start, before its loop turns.
  public func runBlocking<T>(_ body: (PlacementStore) throws(StoreError) -> T) throws(StoreError) -> T {
    try body(store)
  }

  private func enqueue(now: Bool, _ job: @escaping Job) -> StoreError? {
    state.withLock { state in
      guard state.pending < limit else {
        return .busy(file: store.file, cause: "\(limit) jobs wait for it")
      }
      state.waiting.append(job)
      state.pending += 1
      guard now, !state.threadRuns else { return nil }
      do throws(Errno) {
        try startThread()
        state.threadRuns = true
        return nil
      } catch {
        state.waiting.removeLast()
        state.pending -= 1
        return .busy(file: store.file, cause: "no thread can be started (errno \(error.code))")
      }
    }
  }

  private func drain() {
    defer { trim() }
    while true {
      let group = state.withLock { state -> [Job] in
        let group = Array(state.waiting.prefix(Self.groupLimit))
        state.waiting.removeFirst(group.count)
        state.threadRuns = !group.isEmpty
        return group
      }
      if group.isEmpty { return }
      for answer in perform(group) {
        answer()
        state.withLock { state in
          state.pending -= 1
          state.doneSinceTrim += 1
        }
      }
    }
  }

  /// After many jobs, what they left free in the heap is given back to the host: podd stays for months, and
  /// the burst that needed it is over. The heap is walked for it, so not after each.
  private func trim() {
    let isDue = state.withLock { state in
      guard state.doneSinceTrim >= Self.trimAfter else { return false }
      state.doneSinceTrim = 0
      return true
    }
    if isDue { linux_trim_heap() }
  }

  /// When they cannot be one transaction, say because the disk is full, each is tried by itself: some may
  /// still succeed, and each gets its own error.
  private func perform(_ group: [Job]) -> [Answer] {
    if group.count > 1 {
      var answers: [Answer] = []
      do throws(StoreError) {
        try store.together { answers = group.map { $0(store) } }
        return answers
      } catch {}
    }
    return group.map { $0(store) }
  }

  private func startThread() throws(Errno) {
    try DetachedThread.start { self.drain() }
  }
}
