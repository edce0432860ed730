import Cgroup
import PodModel
import Systemd
import Time

/// What podd knows about the memory of one generation.
@LoopActor
final class RunMemory {
  private var limits: (max: UInt64?, high: UInt64?)
  private var limitsReadAt = LoopTime.zero
  private var detector: LeakDetector
  private(set) var load = LoadCourse()
  private var processorTime: (at: LoopTime, used: Microseconds)?
  /// The decision about a leak after the last sample.
  var verdict = LeakPolicy.Verdict.nothing
  /// The clauses that have been logged.
  var loggedClauses: Set<String> = []
  /// The leak for which it was recycled; part of the evidence of its end.
  var treatedLeak: LeakDetector.Finding?
  var treatedStall: Microseconds?
  var replacementPause = ReplacementPause()

  init(memoryMax: UInt64?, memoryHigh: UInt64?) {
    limits = (memoryMax, memoryHigh)
    detector = LeakDetector(memoryMax: memoryMax, memoryHigh: memoryHigh)
  }

  /// Replaces what was sampled so far by recorded samples, oldest first.
  func remember(_ past: [MemorySample]) {
    guard !past.isEmpty else { return }
    detector = LeakDetector(memoryMax: limits.max, memoryHigh: limits.high)
    for sample in past { detector.add(sample) }
  }

  /// Whether the limits have changed, by systemctl set-property or otherwise; the detector then starts again.
  /// Checked once a minute.
  func limitsChanged(of scope: RunningScope, now: LoopTime) -> Bool {
    guard now >= limitsReadAt + .minutes(1) else { return false }
    limitsReadAt = now
    let found = (max: scope.number(InterfaceFile.memoryMax), high: scope.number(InterfaceFile.memoryHigh))
    guard found != limits, scope.isPopulated else { return false }
    limits = found
    detector = LeakDetector(memoryMax: found.max, memoryHigh: found.high)
    return true
  }

  var finding: LeakDetector.Finding { detector.finding }

  func add(_ sample: MemorySample) {
    detector.add(sample)
  }

  /// - Parameter used: CPU time since the generation began.
  func addLoad(used: Microseconds, at now: LoopTime) {
    if let last = processorTime, now > last.at, used >= last.used {
      load.add((used - last.used).share(of: now - last.at))
    }
    processorTime = (now, used)
  }
}
