internal import Glibc
import Synchronization
public import Systemd

/// Starts `EventLoop.main` on its own thread, once for all test targets, which share one process. In podd the loop runs on
/// the main thread, which Swift Testing uses here; the loop belongs to the thread that uses it first.
private let loopThread: Void = {
  var ends: [CInt] = [0, 0]
  guard socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0, &ends) == 0
  else { return }
  readyEnd.withLock { $0 = ends[1] }
  var thread = pthread_t()
  pthread_create(
    &thread, nil,
    { _ in
      let loop = EventLoop.main
      readyEnd.withLock { _ = close($0) }
      _ = try? loop.run()
      return nil
    }, nil)
  var byte: UInt8 = 0
  _ = read(ends[0], &byte, 1)
  close(ends[0])
}()

private let readyEnd = Mutex<CInt>(-1)

/// Runs `body` on the loop's thread, as podd's code does.
public func onLoop<Value: Sendable>(
  _ body: @escaping @LoopActor () async throws -> Value
) async throws -> Value {
  _ = loopThread
  return try await Task(executorPreference: EventLoop.main) { try await body() }.value
}

/// Passes values from a callback to a task that waits for them.
@LoopActor
public final class Mailbox<Value: Sendable> {
  private var values: [Value] = []
  private var waiting: CheckedContinuation<Value, Never>?

  public init() {}

  public func put(_ value: Value) {
    guard let receiver = waiting else {
      values.append(value)
      return
    }
    waiting = nil
    receiver.resume(returning: value)
  }

  public func next() async -> Value {
    if !values.isEmpty { return values.removeFirst() }
    return await withCheckedContinuation { waiting = $0 }
  }

  /// The values that `next` has not returned yet.
  public var pending: [Value] { values }
}
