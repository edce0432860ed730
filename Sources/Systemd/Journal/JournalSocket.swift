internal import CLinux
internal import Glibc
internal import Linux
internal import Synchronization

/// The way to journald's socket. It never makes its caller wait: entries that journald does not take at once are sent in
/// order by a thread, which exists until all are sent. A journald that hangs costs a bounded number of entries.
final class JournalSocket: Sendable {
  static let shared = JournalSocket(path: "/run/systemd/journal/socket")

  private static let mostWaiting = 4096
  private static let mostBytesWaiting = 4 << 20

  private struct State {
    var waiting: [[UInt8]] = []
    var bytes = 0
    /// Whether the thread exists.
    var isSending = false
    /// Entries that there was no room for.
    var lost = 0
  }

  private let path: String
  private let descriptor: CInt
  private let state = Mutex(State())

  /// The socket stays open as long as the process.
  init(path: String) {
    self.path = path
    descriptor = socket(AF_UNIX, CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
  }

  /// Sends an entry, or keeps it until journald takes it. It is dropped when there is no journald.
  func send(_ entry: [UInt8]) {
    let startsThread = state.withLock { state -> Bool in
      if !state.isSending {
        guard transmit(entry, waits: false) == -EAGAIN else { return false }
      }
      guard state.waiting.count < Self.mostWaiting, state.bytes + entry.count <= Self.mostBytesWaiting else {
        state.lost += 1
        return false
      }
      state.waiting.append(entry)
      state.bytes += entry.count
      defer { state.isSending = true }
      return !state.isSending
    }
    guard startsThread else { return }
    do throws(Errno) {
      try DetachedThread.start { self.sendWaiting() }
    } catch {
      state.withLock { $0 = State(lost: $0.lost + $0.waiting.count) }
    }
  }

  private func sendWaiting() {
    while let batch = next() {
      for entry in batch { _ = transmit(entry, waits: true) }
    }
  }

  /// What waits, and after that how much was lost meanwhile; nil ends the thread.
  private func next() -> [[UInt8]]? {
    state.withLock { state in
      var batch = state.waiting
      if batch.isEmpty, state.lost > 0 {
        batch = [
          Journal.entry([
            ("MESSAGE", "\(state.lost) entries were dropped while journald did not take any."),
            ("PRIORITY", "4"),
          ])
        ]
        state.lost = 0
      }
      state.waiting = []
      state.bytes = 0
      state.isSending = !batch.isEmpty
      return batch.isEmpty ? nil : batch
    }
  }

  private func transmit(_ entry: [UInt8], waits: Bool) -> CInt {
    entry.withUnsafeBytes { linux_send_datagram(descriptor, path, $0.baseAddress, $0.count, waits ? 1 : 0) }
  }
}
