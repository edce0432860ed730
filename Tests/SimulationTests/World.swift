import PodModel

/// What the kernel and PID 1 know: processes, and the scopes they live in. It outlives podd.
struct World {
  struct Process {
    /// Nil while it is held by podd, outside any scope.
    var unit: UnitName?
    var isMain: Bool
    /// Start time: a pid may be used again, this not.
    var ticks: UInt64
    /// podd let it go: the program runs.
    var isReleased = false
    /// It serves.
    var isReady = false
  }

  var now: UInt64 = 1_000_000
  var boot = 1
  private(set) var processes: [Int32: Process] = [:]
  /// Units that PID 1 has loaded although they are empty, because they failed.
  var failedUnits: Set<UnitName> = []
  /// How each generation's main process ended, for whoever can tell.
  private(set) var exits: [UnitName: EndEvidence] = [:]
  private var nextPID: Int32 = 2
  private var ticks: UInt64 = 0

  var bootID: String { "boot-\(boot)" }

  /// Pids are few, so that they are used again soon.
  mutating func spawn(into unit: UnitName? = nil, isMain: Bool) -> Int32 {
    repeat { nextPID = nextPID % 60 + 2 } while processes[nextPID] != nil
    ticks += 1
    processes[nextPID] = Process(unit: unit, isMain: isMain, ticks: ticks, isReleased: unit != nil)
    return nextPID
  }

  mutating func attach(_ pid: Int32, to unit: UnitName) { processes[pid]?.unit = unit }
  mutating func release(_ pid: Int32) { processes[pid]?.isReleased = true }
  mutating func becomeReady(_ pid: Int32) { processes[pid]?.isReady = true }

  /// One process ends; the main process's evidence is kept with its generation.
  mutating func end(_ pid: Int32, _ exit: EndEvidence.Exit, oomKills: UInt64 = 0, ownLimit: UInt64 = 0) {
    guard let process = processes.removeValue(forKey: pid), let unit = process.unit, process.isMain else {
      return
    }
    var evidence = EndEvidence()
    evidence.exit = exit
    evidence.oomKills = oomKills
    evidence.ownLimitOOMs = ownLimit
    exits[unit] = evidence
  }

  /// PID 1 stops a unit: every process of it is gone when the job is done.
  mutating func stop(_ unit: UnitName) {
    for (pid, process) in processes where process.unit == unit { end(pid, .signal("TERM")) }
  }

  mutating func reboot() {
    boot += 1
    processes = [:]
    failedUnits = []
    exits = [:]
  }

  // MARK: Looking

  func isPopulated(_ unit: UnitName) -> Bool { processes.values.contains { $0.unit == unit } }

  func isAlive(_ pid: Int32, _ ticks: UInt64) -> Bool { processes[pid]?.ticks == ticks }

  /// Sorted, because a set's order changes from run to run.
  var populated: [UnitName] {
    Set(processes.values.compactMap(\.unit)).sorted { $0.description < $1.description }
  }

  func members(_ unit: UnitName) -> [Int32] {
    processes.filter { $0.value.unit == unit }.keys.sorted()
  }

  /// Pids that fit, in an order that is the same in every run.
  func pids(where fits: (Process) -> Bool) -> [Int32] {
    processes.filter { fits($0.value) }.keys.sorted()
  }
}
