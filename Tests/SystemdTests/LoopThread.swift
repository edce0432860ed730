import Glibc
import Synchronization
import Systemd
import Testing

/// Runs `EventLoop.main` on a thread of its own. In podd that is the main thread; here Swift Testing has it,
/// and the loop belongs to whichever thread uses it first.
private let loopThread: Void = {
  var ends: [CInt] = [0, 0]
  guard openPair(&ends) else { return }
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

/// Runs `body` on the loop's thread as podd's own code runs there.
func onLoop<Value: Sendable>(
  _ body: @escaping @LoopActor () async throws -> Value
) async throws -> Value {
  _ = loopThread
  return try await Task(executorPreference: EventLoop.main) { try await body() }.value
}

/// What a callback brings to a task that waits for it.
@LoopActor
final class Mailbox<Value: Sendable> {
  private var values: [Value] = []
  private var waiting: CheckedContinuation<Value, Never>?

  func put(_ value: Value) {
    guard let receiver = waiting else {
      values.append(value)
      return
    }
    waiting = nil
    receiver.resume(returning: value)
  }

  func next() async -> Value {
    if !values.isEmpty { return values.removeFirst() }
    return await withCheckedContinuation { waiting = $0 }
  }

  /// What came and was not taken yet.
  var pending: [Value] { values }
}

/// A directory of its own for one test, gone with it.
final class Scratch: Sendable {
  let path: String

  init() throws {
    var template = Array("/tmp/systemd-test-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { buffer in
      buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
    }
    path = try #require(made)
  }

  deinit {
    for name in ["bus", "bus.conf", "socket", "notify", "file"] { unlink("\(path)/\(name)") }
    rmdir(path)
  }
}

/// Two connected ends, close-on-exec from the first moment: other tests start processes meanwhile.
func openPair(_ ends: inout [CInt]) -> Bool {
  socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0, &ends) == 0
}
