import PodStore
import Systemd

/// A system call that may take long, made beside the loop: the thread exists for as long as that takes.
enum OffLoop {
  /// What `body` returns, or a negative errno when no thread can be started.
  @LoopActor
  static func run(_ body: @escaping @Sendable () -> Int32) async -> Int32 {
    await withUnsafeContinuation { done in
      let error = DetachedThread.start { done.resume(returning: body()) }
      if error != 0 { done.resume(returning: -error) }
    }
  }
}
