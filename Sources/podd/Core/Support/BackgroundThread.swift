import Linux
import Systemd

/// Runs blocking work off the event loop, in a thread that exists for as long as the work takes.
enum BackgroundThread {
  /// Throws what `body` throws, or the error of a thread that cannot be started; then `body` was not called.
  @LoopActor
  static func run<Value: Sendable>(
    _ body: @escaping @Sendable () throws(Errno) -> Value
  ) async throws(Errno) -> Value {
    let result: Result<Value, Errno> = await withUnsafeContinuation { done in
      do throws(Errno) {
        try DetachedThread.start { done.resume(returning: Result { () throws(Errno) in try body() }) }
      } catch {
        done.resume(returning: .failure(error))
      }
    }
    return try result.get()
  }
}
