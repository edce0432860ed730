import Linux
import Systemd
import Time

/// How much data each user has, as it was counted last.
///
/// A tenant may have millions of files, and its disk may not answer at all. So a caller waits for a bounded time, and a
/// size that is not there by then is the one of an earlier count, or none. The count goes on in the background, one
/// at a time. A tree that took long is counted again after ten times as long, so that its tenant costs the host at most
/// a tenth of a processor, and after all others, so that it delays nobody else's.
@LoopActor
final class UserSizes {
  /// Beyond this number, a user has no size.
  private nonisolated static let entriesMax = 5_000_000
  private nonisolated static let countMax: Microseconds = .minutes(2)

  private struct Known: Sendable {
    /// Nil: there is no directory, or it cannot be counted.
    var bytes: UInt64?
    var at: LoopTime
    var took: Microseconds
  }

  /// The bytes below a directory; nil if there is none, or if it cannot be counted within bounds. Blocks for as long as it
  /// takes.
  nonisolated static func count(_ path: String) -> UInt64? {
    let size = FileTree.size(path, entriesMax: entriesMax, until: Clock.loop + countMax)
    return size.flatMap { $0.isComplete ? $0.bytes : nil }
  }

  private let count: @Sendable (_ path: String) -> UInt64?
  private var known: [String: Known] = [:]
  private var isCounting = false
  private var waiting: [BoundedWait<Void>] = []

  /// - Parameter count: blocks for as long as it takes.
  init(count: @escaping @Sendable (_ path: String) -> UInt64? = { UserSizes.count($0) }) {
    self.count = count
  }

  /// The bytes in each directory, within about this time.
  func sizes(of paths: [String], within: Microseconds) async -> [UInt64?] {
    let began = Clock.loop
    let deadline = began + within
    while Clock.loop < deadline {
      let due = paths.filter { isDue($0, since: began) }
      if due.isEmpty { break }
      if !isCounting { start(due) }
      await waitForCount(until: deadline)
    }
    return paths.map { known[$0]?.bytes }
  }

  private func isDue(_ path: String, since began: LoopTime) -> Bool {
    guard let known = known[path] else { return true }
    // A quick one is counted for every caller.
    return known.at < began && Clock.loop >= known.at + known.took * 10
  }

  private func start(_ paths: [String]) {
    isCounting = true
    let sorted = paths.sorted { took($0) < took($1) }
    loopTask {
      var rest = sorted[...]
      while !rest.isEmpty { rest = await self.countSome(of: rest) }
      self.isCounting = false
      self.resumeAll()
    }
  }

  private func took(_ path: String) -> Microseconds { known[path]?.took ?? .zero }

  /// Counts one, or as many as there are in some milliseconds: what is counted is known at once, because the next one
  /// may take long. Returns the others.
  private func countSome(of paths: ArraySlice<String>) async -> ArraySlice<String> {
    let count = count
    let found = try? await BackgroundThread.run { () throws(Errno) in
      var found: [Known] = []
      let end = Clock.loop + .milliseconds(20)
      for path in paths {
        let began = Clock.loop
        let bytes = count(path)
        let now = Clock.loop
        found.append(Known(bytes: bytes, at: now, took: now - began))
        if now >= end { break }
      }
      return found
    }
    // No thread could be started: no size is known.
    let counted = found ?? paths.map { _ in Known(bytes: nil, at: Clock.loop, took: .zero) }
    for (path, known) in zip(paths, counted) { self.known[path] = known }
    // Users come and go.
    let now = Clock.loop
    if known.count > 20_000 { known = known.filter { $0.value.at + .hours(1) > now } }
    return paths.dropFirst(counted.count)
  }

  // MARK: - Waiting

  private func waitForCount(until deadline: LoopTime) async {
    let wait = BoundedWait<Void>()
    waiting.append(wait)
    _ = await wait.report(within: deadline - Clock.loop)
    waiting.removeAll { $0 === wait }
  }

  private func resumeAll() {
    for wait in waiting { wait.finish(()) }
    waiting = []
  }
}
