internal import Glibc

/// A thread for one piece of work, which ends with it. libdispatch's threads would stay.
public enum DetachedThread {
  /// Deep enough for SQLite and for Foundation's number formatting, and small compared with glibc's 8 MB.
  private static let stackSize = 512 * 1024

  private final class Work {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Runs `body` in a thread in which every signal is blocked: signals belong to the event loop. The thread
  /// inherits the mask, so the mask is set before the thread exists. Throws when no thread can be started;
  /// then `body` is not called.
  public static func start(_ body: @escaping @Sendable () -> Void) throws(Errno) {
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }

    // Uninitialised memory, because the compiler thinks that pthread_attr_t() belongs to libdispatch.
    let error = withUnsafeTemporaryAllocation(of: pthread_attr_t.self, capacity: 1) { memory -> Int32 in
      guard let attributes = memory.baseAddress else { return ENOMEM }
      pthread_attr_init(attributes)
      defer { pthread_attr_destroy(attributes) }
      pthread_attr_setdetachstate(attributes, Int32(PTHREAD_CREATE_DETACHED))
      pthread_attr_setstacksize(attributes, Self.stackSize)

      var thread = pthread_t()
      let work = Unmanaged.passRetained(Work(body))
      let error = pthread_create(
        &thread, attributes,
        { argument in
          guard let argument else { return nil }
          Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
          return nil
        }, work.toOpaque())
      if error != 0 { work.release() }
      return error
    }
    if error != 0 { throw Errno(error, "start a thread") }
  }
}
