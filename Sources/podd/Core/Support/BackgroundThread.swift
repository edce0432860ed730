import PodStore
import Systemd

/// What may take long, done beside the loop: the thread exists for as long as that takes.
enum BackgroundThread {
  /// Throws what `body` throws, or that no thread can be started; then `body` was not called.
  @LoopActor
  static func run(_ body: @escaping @Sendable () throws(Errno) -> Void) async throws(Errno) {
    let result: Result<Void, Errno> = await withUnsafeContinuation { done in
      let error = DetachedThread.start {
        done.resume(returning: Result { () throws(Errno) in try body() })
      }
      if error != 0 { done.resume(returning: .failure(Errno(error, "start a thread"))) }
    }
    try result.get()
  }
}
