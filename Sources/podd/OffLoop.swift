import CLinux
import Glibc
import Systemd

/// A system call that may take long, made beside the loop: the thread exists for as long as that takes.
enum OffLoop {
  private final class Call {
    let body: @Sendable () -> Int32
    let done: UnsafeContinuation<Int32, Never>

    init(_ body: @escaping @Sendable () -> Int32, _ done: UnsafeContinuation<Int32, Never>) {
      self.body = body
      self.done = done
    }
  }

  private static let stackSize = 128 << 10

  /// What `body` returns, or a negative errno when no thread can be started.
  @LoopActor
  static func run(_ body: @escaping @Sendable () -> Int32) async -> Int32 {
    await withUnsafeContinuation { done in
      let error = start(Call(body, done))
      if error != 0 { done.resume(returning: -error) }
    }
  }

  /// Every signal is blocked in the thread: they belong to the loop.
  private static func start(_ call: Call) -> Int32 {
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    // Uninitialised memory, because the compiler thinks that pthread_attr_t() belongs to libdispatch.
    return withUnsafeTemporaryAllocation(of: pthread_attr_t.self, capacity: 1) { memory -> Int32 in
      guard let attributes = memory.baseAddress else { return ENOMEM }
      pthread_attr_init(attributes)
      defer { pthread_attr_destroy(attributes) }
      pthread_attr_setdetachstate(attributes, Int32(PTHREAD_CREATE_DETACHED))
      pthread_attr_setstacksize(attributes, stackSize)
      var thread = pthread_t()
      let owned = Unmanaged.passRetained(call)
      let error = pthread_create(
        &thread, attributes,
        { argument in
          guard let argument else { return nil }
          let call = Unmanaged<Call>.fromOpaque(argument).takeRetainedValue()
          call.done.resume(returning: call.body())
          return nil
        }, owned.toOpaque())
      if error != 0 { owned.release() }
      return error
    }
  }
}
