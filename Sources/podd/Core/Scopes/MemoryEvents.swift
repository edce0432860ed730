import Cgroup
import Linux
import PodModel
import Systemd
import Time

/// The counters of a scope's `memory.events`. They go with the cgroup, which systemd removes as soon as it is empty, so
/// they are read whenever the kernel reports a change.
@LoopActor
final class MemoryEvents {
  private unowned let scope: RunningScope
  // In this order: the source goes before the descriptor that it watches.
  private var source: EventSource?
  private var file: CgroupFile?
  /// What an adopted scope had counted before this podd watched it.
  private var baseline = Counters()
  private var counters = Counters()
  /// Whether the file could still be read when the main process had ended.
  private var hasLastCounters = true
  private var memory: (current: UInt64?, peak: UInt64?, max: UInt64?) = (nil, nil, nil)
  /// How many notifications came within the second that began at `since`, and the timer that ends a pause.
  private var burst: (since: LoopTime, count: Int) = (.zero, 0)
  private var pause: EventSource?

  /// How many notifications a second are handled at once, and how long the next one waits then. At
  /// memory.high and memory.max one comes with every reclaim, up to 100 a second (facts 20).
  private static let burstMost = 20
  private static let holdOff: Microseconds = .milliseconds(250)

  /// `ownLimit` is `oom`, which counts the scope's own limit (facts 7).
  private struct Counters: Equatable {
    var high: UInt64 = 0
    var max: UInt64 = 0
    var kills: UInt64 = 0
    var ownLimit: UInt64 = 0
    /// `user.oomd_ooms`: how often systemd-oomd chose the scope. oomd writes it before the kill (systemd 252 to 257,
    /// src/oom/oomd-util.c).
    var oomd: UInt64 = 0
  }

  init(_ scope: RunningScope) {
    self.scope = scope
  }

  /// - Parameter opened: `memory.events` of the scope; nil when the cgroup is gone.
  func watch(_ opened: consuming CgroupFile?) {
    guard let opened else { return }
    let descriptor = opened.descriptor
    file = consume opened
    read(isLast: true)
    if scope.adopted { baseline = counters }
    source = try? EventSource.io(EventLoop.main, descriptor: descriptor, events: PollEvents.priority) {
      [weak self] events in
      LoopActor.assumeIsolated { self?.changed(events) }
    }
  }

  private func changed(_ events: UInt32) {
    // The file of a removed cgroup reports an error for ever (facts 19).
    if !read() || events & PollEvents.error != 0 && !scope.isPopulated {
      source = nil
    } else {
      pauseAfterBurst()
    }
  }

  /// Counters are compared, so nothing is lost during a pause. The end of the process reads them in any case.
  private func pauseAfterBurst() {
    let now = EventLoop.main.now()
    if now >= burst.since + .seconds(1) { burst = (now, 0) }
    burst.count += 1
    guard burst.count >= Self.burstMost else { return }
    pause = try? EventSource.timer(EventLoop.main, after: Self.holdOff) { [weak self] in
      LoopActor.assumeIsolated {
        guard let self else { return }
        self.pause = nil
        if self.source != nil, self.read() { self.source?.setEnabled(true) }
      }
    }
    if pause != nil { source?.setEnabled(false) }
  }

  /// Reads everything once more: the main process has ended.
  func readLast() {
    hasLastCounters = read(isLast: true)
  }

  /// Watches no longer, and returns what was counted, with nothing yet of how the process exited.
  func finish() -> EndEvidence {
    source = nil
    pause = nil
    var evidence = EndEvidence()
    evidence.oomKills = counters.kills - min(baseline.kills, counters.kills)
    evidence.ownLimitOOMs = counters.ownLimit - min(baseline.ownLimit, counters.ownLimit)
    evidence.oomdKills = counters.oomd - min(baseline.oomd, counters.oomd)
    evidence.memoryHighEvents = counters.high - min(baseline.high, counters.high)
    evidence.memoryMaxEvents = counters.max - min(baseline.max, counters.max)
    (evidence.memoryCurrent, evidence.memoryPeak, evidence.memoryMax) = memory
    evidence.countersAreLost = !hasLastCounters
    return evidence
  }

  /// The last known values become part of the evidence: the files go with the cgroup.
  private func readMemory() {
    memory.current = scope.number(InterfaceFile.memoryCurrent) ?? memory.current
    memory.peak = scope.number(InterfaceFile.memoryPeak) ?? memory.peak
    memory.max = scope.number(InterfaceFile.memoryMax) ?? memory.max
  }

  /// Returns false when the cgroup is gone.
  /// - Parameter isLast: Whether to read the other files too where nothing was killed.
  @discardableResult
  private func read(isLast: Bool = false) -> Bool {
    var seen = counters
    // oomd sets it before the kill, and it can be read when the cgroup is gone.
    if isLast { seen.oomd = scope.attribute("user.oomd_ooms") ?? seen.oomd }
    defer { counters.oomd = seen.oomd }
    // A read through its own descriptor clears the notification (facts 20).
    let isThere = try? file?.read { text in
      CgroupFiles.eachPair(text) { key, value in
        if key.elementsEqual("high".utf8) { seen.high = max(seen.high, value) }
        if key.elementsEqual("max".utf8) { seen.max = max(seen.max, value) }
        if key.elementsEqual("oom_kill".utf8) { seen.kills = max(seen.kills, value) }
        // A scope has no cgroup below it, so this equals memory.events.local's, and both counters are of one moment:
        // the cgroup may go between two files.
        if key.elementsEqual("oom".utf8) { seen.ownLimit = max(seen.ownLimit, value) }
        return true
      }
      return !text.isEmpty
    }
    guard isThere == true else { return false }
    if isLast || seen.max != counters.max || seen.kills != counters.kills { readMemory() }
    counters = seen
    return true
  }
}
