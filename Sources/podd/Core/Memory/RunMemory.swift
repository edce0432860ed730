import Cgroup
import PodModel
import Systemd

/// What podd knows of one generation's memory: a new one begins anew.
@LoopActor
final class RunMemory {
  private var limits: (max: UInt64?, high: UInt64?)
  private var limitsReadAt: UInt64 = 0
  private var detector: LeakDetector
  private(set) var load = LoadCourse()
  private var processorTime: (at: UInt64, used: UInt64)?
  /// What is to be done about a leak, by the last sample.
  var verdict = LeakPolicy.Verdict.nothing
  /// What the journal was told already.
  var told: Set<String> = []
  /// What it was recycled for; part of its end's evidence.
  var treatedLeak: LeakDetector.Finding?
  var treatedStallUSec: UInt64?
  /// How often a handover was begun and did not come about, and before when none is begun again, by the loop's clock.
  private(set) var handovers = 0
  private(set) var nextHandover: UInt64 = 0

  func beginsHandover(at now: UInt64) {
    nextHandover = now.after(min(Self.firstPause << UInt64(min(handovers, 5)), LeakPolicy.hour))
    handovers += 1
  }

  /// Five minutes: a successor that does not come would cost a launch with every sample.
  private static let firstPause: UInt64 = 300_000_000

  init(memoryMax: UInt64?, memoryHigh: UInt64?) {
    limits = (memoryMax, memoryHigh)
    detector = LeakDetector(memoryMax: memoryMax, memoryHigh: memoryHigh)
  }

  /// Begins with what was seen before, oldest first, instead of what came since.
  func remember(_ past: [MemorySample]) {
    guard !past.isEmpty else { return }
    detector = LeakDetector(memoryMax: limits.max, memoryHigh: limits.high)
    for sample in past { detector.add(sample) }
  }

  /// systemctl set-property, or somebody else, may have set other limits; true when they have, and then what is known
  /// is known of the old ones. Looked up once a minute.
  func limitsChanged(of scope: RunningScope, now: UInt64) -> Bool {
    guard now >= limitsReadAt.after(60_000_000) else { return false }
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

  /// - Parameter used: Microseconds of processor time since the generation began.
  func addLoad(used: UInt64, at now: UInt64) {
    if let last = processorTime, now > last.at, used >= last.used {
      load.add(Double(used - last.used) / Double(now - last.at))
    }
    processorTime = (now, used)
  }
}
