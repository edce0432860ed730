import CLinux
import Linux
import Synchronization

/// What a ``Worker`` needs of the database that it works for.
public protocol WorkerStore: Sendable {
  var file: String { get }

  /// How many waiting jobs are done as one transaction at most. The first of a group waits for the last.
  static var groupLimit: Int { get }
  /// After how many jobs the heap is trimmed, once no job waits.
  static var trimAfter: Int { get }

  /// Makes all operations of `body` one transaction. When it throws, none of them was done.
  func together(_ body: () -> Void) throws(StoreError)
}

public typealias StoreWorker = Worker<PlacementStore>
public typealias HistoryWorker = Worker<HistoryStore>

/// Runs a store's jobs one after the other, in the order they came, on a thread of its own that exists only
/// while there are any. So a slow disk delays only the answers that wait for it, and an idle podd has one
/// thread. Jobs that wait at the same time can be one transaction, because the disk is what they all wait
/// for.
///
/// GRDB's asynchronous interface is not used, because it would start threads of libdispatch that stay.
public final class Worker<Store: WorkerStore>: Sendable {
  /// Does the work and returns the function that reports it, which is called once the result is on the disk.
  private typealias Job = @Sendable (Store) -> Answer
  private typealias Answer = @Sendable () -> Void

  private struct State {
    var waiting: [Job] = []
    /// Jobs that were accepted and are not yet finished.
    var pending = 0
    var threadRuns = false
    var doneSinceTrim = 0
  }

  private let store: Store
  private let limit: Int
  private let state = Mutex(State())

  /// - Parameter limit: how many jobs may be pending; beyond it `run` throws `.busy`.
  public init(_ store: Store, limit: Int = 4096) {
    self.store = store
    self.limit = limit
  }

  /// Runs a job on the store's thread and resumes on the caller's executor. A job that was accepted is done
  /// even when the task that waits for it is cancelled: it may be on the disk already.
  public func run<T: Sendable>(
    _ body: @escaping @Sendable (Store) throws(StoreError) -> T
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

  /// Takes a job for which nobody waits. It has its place in the order when this returns, and is done
  /// together with the next job of ``run(_:)``, or by ``flush()``. `failed` is called on the store's thread,
  /// or at once when the job is not accepted.
  public func submit(
    _ body: @escaping @Sendable (Store) throws(StoreError) -> Void,
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

  /// Begins the submitted jobs that still wait. False: no thread can be started, so they wait on.
  @discardableResult
  public func flush() -> Bool {
    state.withLock { state in
      guard !state.waiting.isEmpty, !state.threadRuns else { return true }
      state.threadRuns = (try? startThread()) != nil
      return state.threadRuns
    }
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

  private func startThread() throws(Errno) {
    try DetachedThread.start { self.drain() }
  }

  private func drain() {
    defer { trim() }
    while true {
      let group = state.withLock { state -> [Job] in
        let group = Array(state.waiting.prefix(Store.groupLimit))
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

  /// Gives the heap's free pages back to the host: podd runs for months, and the burst that needed them is
  /// over. That walks the heap, so it is not done after each job.
  private func trim() {
    let isDue = state.withLock { state in
      guard state.doneSinceTrim >= Store.trimAfter else { return false }
      state.doneSinceTrim = 0
      return true
    }
    if isDue { linux_trim_heap() }
  }

  /// Where the jobs cannot be one transaction, say because the disk is full, each is tried by itself: some
  /// may still succeed, and each gets its own error.
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
}
