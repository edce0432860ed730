internal import CLinux
internal import CSystemd
internal import Glibc
internal import Synchronization
public import Time

/// The sd-event loop as a Swift executor: callbacks of libsystemd and Swift's jobs run on one thread.
///
/// An sd-bus object belongs to one thread for its whole life (facts 25), so everything that touches
/// one is isolated to ``LoopActor``, whose executor this is. The loop binds itself to the thread that
/// first calls ``run()``.
public final class EventLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
  // @unchecked: `event` and `local` are touched by the loop's thread alone, `foreign` is behind a
  // mutex, and `wake` never changes after init.
  nonisolated(unsafe) let event: OpaquePointer
  private var local: [UnownedJob] = []
  private var running: [UnownedJob] = []
  private let foreign = Mutex<[UnownedJob]>([])
  private let wake: CInt
  private let thread: pthread_t
  private var exitCode: CInt?

  /// The process's loop. The first use must be on the main thread, before any other thread exists.
  public static let main = EventLoop()

  private init() {
    var created: OpaquePointer?
    let result = sd_event_new(&created)
    guard result >= 0, let created else { fatalError("sd_event_new: \(Errno(result))") }
    event = created
    thread = pthread_self()
    wake = linux_eventfd()
    guard wake >= 0 else { fatalError("eventfd: \(Errno.last())") }
    // A floating source lives as long as the loop, which lives as long as the process.
    let added = sd_event_add_io(
      event, nil, wake, UInt32(EPOLLIN.rawValue),
      { _, fd, _, _ in
        var count: UInt64 = 0
        _ = read(fd, &count, 8)
        return 0
      }, nil)
    guard added >= 0 else { fatalError("sd_event_add_io: \(Errno(added))") }
  }

  var isCurrent: Bool { pthread_equal(pthread_self(), thread) != 0 }

  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if isCurrent {
      local.append(job)
      return
    }
    foreign.withLock { $0.append(job) }
    var one: UInt64 = 1
    _ = write(wake, &one, 8)
  }

  public func checkIsolated() {
    precondition(isCurrent, "called from a thread that is not the event loop's")
  }

  public func isIsolatingCurrentContext() -> Bool? { isCurrent }

  public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
    UnownedSerialExecutor(ordinary: self)
  }

  /// Performs `release` on the loop's thread: at once there, and from another thread with the loop's next jobs. The last
  /// reference to an owner of libsystemd's objects may be given up on any thread, but libsystemd counts references
  /// without a lock.
  func release(_ release: @escaping @Sendable () -> Void) {
    guard !isCurrent else { return release() }
    Task(executorPreference: self) { @LoopActor in release() }
  }

  /// The same for what belongs to a bus, which may also belong to a thread that calls and waits, without a loop.
  static func release(isOfLoop: Bool, _ release: @escaping @Sendable () -> Void) {
    if isOfLoop { main.release(release) } else { release() }
  }

  /// Runs jobs and events until ``exit(_:)``; returns its code.
  public func run() throws(Errno) -> CInt {
    checkIsolated()
    while exitCode == nil {
      runJobs()
      if exitCode != nil { break }
      let result = sd_event_run(event, local.isEmpty ? UInt64.max : 0)
      if result < 0 && result != -EINTR { throw Errno(result, "sd_event_run") }
      if sd_event_get_state(event) == SD_EVENT_FINISHED { break }
    }
    return exitCode ?? 0
  }

  public func exit(_ code: CInt) {
    checkIsolated()
    exitCode = code
  }

  /// Runs one round. Jobs that these jobs enqueue wait for the next round, so that events are never starved.
  private func runJobs() {
    let arrived = foreign.withLock { jobs -> [UnownedJob] in
      guard !jobs.isEmpty else { return [] }
      let all = jobs
      jobs.removeAll(keepingCapacity: true)
      return all
    }
    swap(&local, &running)
    for job in running {
      job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
    }
    running.removeAll(keepingCapacity: true)
    for job in arrived {
      job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
    }
  }

  /// CLOCK_MONOTONIC, as of this loop iteration. ``EventSource`` timers run by the same clock.
  public func now() -> LoopTime {
    var value: UInt64 = 0
    sd_event_now(event, CLOCK_MONOTONIC, &value)
    return LoopTime(sinceBoot: Microseconds(value))
  }

  /// Serves systemd's watchdog from this loop when WatchdogSec= is set (sd_event_set_watchdog(3)).
  public func enableWatchdog() throws(Errno) {
    let result = sd_event_set_watchdog(event, 1)
    if result < 0 { throw Errno(result, "watchdog") }
  }
}

/// Starts a task on the loop. Not a bare `Task {}`: without an executor preference, a continuation that is
/// resumed in a nonisolated function runs in the global pool, which would start threads.
@discardableResult
public func loopTask<Value: Sendable>(
  _ body: @escaping @LoopActor () async -> Value
) -> Task<Value, Never> {
  Task(executorPreference: EventLoop.main) { await body() }
}

/// The isolation of everything that touches the loop, a bus connection or an event source: the loop's thread.
@globalActor
public actor LoopActor {
  public static let shared = LoopActor()

  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    EventLoop.main.asUnownedSerialExecutor()
  }

  /// Runs `body` at once; traps unless called on the loop's thread. For callbacks from C.
  public nonisolated static func assumeIsolated<Result, Failure: Error>(
    _ body: @LoopActor () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    EventLoop.main.checkIsolated()
    return try withoutActuallyEscaping(body) { (escaping) throws(Failure) -> Result in
      // Same layout; only the isolation, which was just checked, is taken off
      // (as MainActor.assumeIsolated does it).
      let plain = unsafeBitCast(escaping, to: (() throws(Failure) -> Result).self)
      return try plain()
    }
  }
}
