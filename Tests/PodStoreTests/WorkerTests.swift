import GRDB
import Glibc
import PodModel
import Synchronization
import Testing
import Time
import TimeLiterals

@testable import PodStore

@Suite struct WorkerTests {
  let scratch: Scratch
  let store: PlacementStore

  init() throws {
    scratch = try Scratch()
    store = try scratch.open()
  }

  @Test func `jobs run in the order they came, and each gets its own answer`() async throws {
    let worker = StoreWorker(store)
    for n in 1...50 {
      let done = try await worker.run { store throws(StoreError) in try store.place("user\(n)") }
      #expect(done.user.name == "user\(n)")
    }
    let users = try await worker.run { store throws(StoreError) in try store.counts().users }
    #expect(users == 50)
  }

  @Test func `an error comes back typed`() async throws {
    let worker = StoreWorker(store)
    do throws(StoreError) {
      _ = try await worker.run { store throws(StoreError) in try store.user("nobody") }
      Issue.record("found nobody")
    } catch {
      #expect(error == .noSuchUser("nobody"))
    }
  }

  @Test func `many at once are all served`() async throws {
    let worker = StoreWorker(store)
    await withTaskGroup(of: Bool.self) { group in
      for n in 0..<300 {
        group.addTask {
          (try? await worker.run { store throws(StoreError) in try store.place("user\(n)") }) != nil
        }
      }
      for await placed in group { #expect(placed) }
    }
    #expect(try store.verifyInvariants(usersPerPod: ["free": 20]).isEmpty)
    #expect(try store.counts().users == 300)
  }

  @Test func `what nobody waits for goes with the next job that somebody waits for`() async throws {
    let worker = StoreWorker(store)
    let failures = Mutex<[StoreError]>([])
    let failed = { @Sendable (error: StoreError) in failures.withLock { $0.append(error) } }
    worker.submit({ store throws(StoreError) in _ = try store.place("a") }, failed: failed)
    worker.submit({ store throws(StoreError) in _ = try store.user("nobody") }, failed: failed)
    worker.submit(
      { store throws(StoreError) in try store.setWanted(.run, pod: PodName(number: 99)) }, failed: failed)
    worker.submit({ store throws(StoreError) in _ = try store.place("b") }, failed: failed)
    #expect(try store.counts().users == 0)
    let users = try await worker.run { store throws(StoreError) in try store.counts().users }
    #expect(users == 2)
    #expect(failures.withLock { $0 } == [.noSuchUser("nobody"), .noSuchPod(PodName(number: 99))])
  }

  @Test func `flush begins what was submitted`() async throws {
    let worker = StoreWorker(store)
    let done = Gate()
    worker.submit({ _ throws(StoreError) in done.open() }, failed: { _ in })
    #expect(worker.flush())
    await done.opened()
  }

  @Test func `of jobs that cannot be one transaction each gets its own answer`() async throws {
    let worker = StoreWorker(store)
    try store.queue.unsafeReentrantWrite { db in
      let pages = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
      try db.execute(sql: "PRAGMA max_page_count = \(pages + 2)")
    }
    let failures = Mutex<[StoreError]>([])
    let failed = { @Sendable (error: StoreError) in failures.withLock { $0.append(error) } }
    let long = AuditRecord(
      at: 1, uid: 0, sender: "", verb: "", subject: String(repeating: "x", count: 100_000), result: "")
    worker.submit({ store throws(StoreError) in _ = try store.place("a") }, failed: failed)
    worker.submit({ store throws(StoreError) in try store.audit(long) }, failed: failed)
    let placed = try await worker.run { store throws(StoreError) in try store.place("b") }
    #expect(placed.user.name == "b")
    #expect(failures.withLock { $0 } == [.full(file: scratch.database)])
    #expect(try store.counts().users == 2)
  }

  @Test func `a transaction that is given up takes back all that was done together`() throws {
    do throws(StoreError) {
      try store.together {
        _ = try? store.place("a")
        try? store.queue.unsafeReentrantWrite { db in try db.execute(sql: "ROLLBACK") }
        #expect(throws: StoreError.self) { try store.place("b") }
      }
      Issue.record("a transaction that was rolled back was committed")
    } catch {}
    #expect(try store.counts().users == 0)
  }

  @Test func `beyond the limit a job is refused at once, and the others are done`() async throws {
    let worker = StoreWorker(store, limit: 1)
    let (started, release) = (Gate(), Gate())
    async let first = worker.run { _ throws(StoreError) in
      started.open()
      release.wait()
      return 1
    }
    await started.opened()
    do throws(StoreError) {
      _ = try await worker.run { _ throws(StoreError) in 2 }
      Issue.record("a second job was accepted")
    } catch {
      guard case .busy(scratch.database, _) = error else { Issue.record("\(error)"); return }
    }
    release.open()
    #expect(try await first == 1)
  }

  @Test func `the thread takes no signals and does not stay`() async throws {
    let worker = StoreWorker(store)
    // The test's own thread may be one of libdispatch's, which block most signals.
    var none = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, nil)
    let seen = try await worker.run { _ throws(StoreError) in
      var mask = sigset_t()
      pthread_sigmask(SIG_BLOCK, nil, &mask)
      var link = [CChar](repeating: 0, count: 64)
      let length = readlink("/proc/thread-self", &link, link.count)
      return (
        thread: "/proc/"
          + String(decoding: link.prefix(max(0, length)).map(UInt8.init(bitPattern:)), as: UTF8.self),
        blocked: [SIGTERM, SIGINT, SIGCHLD, SIGUSR1].allSatisfy { sigismember(&mask, $0) == 1 }
      )
    }
    #expect(seen.blocked)
    #expect(seen.thread.contains("/task/"))
    // Nothing tells when a detached thread is gone; the bound only ends a test that would fail anyway.
    var yields = 0
    while access(seen.thread, F_OK) == 0, yields < 5_000_000 {
      sched_yield()
      yields += 1
    }
    #expect(access(seen.thread, F_OK) != 0)
  }
}

/// A door between the store's thread and a test.
private final class Gate: Sendable {
  private struct State {
    var isOpen = false
    var waiter: CheckedContinuation<Void, Never>?
  }
  private let state = Mutex(State())

  func open() {
    let waiter = state.withLock { state in
      state.isOpen = true
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }

  func opened() async {
    await withCheckedContinuation { continuation in
      let isOpen = state.withLock { state in
        if !state.isOpen { state.waiter = continuation }
        return state.isOpen
      }
      if isOpen { continuation.resume() }
    }
  }

  /// Blocks the calling thread, but not for ever: a test that fails shall end.
  func wait() {
    for _ in 0..<5_000_000 where !state.withLock({ $0.isOpen }) { sched_yield() }
  }
}
