import PodModel
import Time

/// What the kernel and PID 1 know: processes, the scopes they live in, sockets, and clients' requests. It outlives
/// podd.
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
    /// It does nothing any more, and does not hear SIGTERM.
    var isHung = false
    /// It was told to stop, and finishes what it has begun.
    var isTerminating = false
    /// Requests that it has begun.
    var requests = 0
    /// Whom it serves: what the users file had when it read it, at its start or for a signal.
    var users: [Token]?
    /// It is to read the file before it serves anybody else.
    var hasReloadSignal = false
  }

  /// A user's token: each placement and each resumption has another one.
  struct Token: Hashable {
    var user: UserName
    var epoch: Int64
  }

  /// What lies in /run for a pod.
  struct UsersFiles {
    var users: [Token] = []
    /// podd's record of what everybody knows, and what becomes it next.
    var delivered: [Token]?
    var prepared: [Token]?
  }

  /// One pod's door.
  struct Door {
    /// podd's listening socket: it outlives podd and every generation.
    var isListening = false
    /// Who waits in its queue, or tries again because SYNs are dropped.
    var waiting = 0
    /// New connections are held off, until then at the latest.
    var heldUntil: LoopTime?
    /// They are for as long as the pod sleeps, whatever becomes of podd.
    var isAsleep = false
  }

  var now = LoopTime.zero + .seconds(1)
  var boot = 1
  private(set) var processes: [Int32: Process] = [:]
  /// Units that PID 1 has loaded although they are empty, because they failed.
  var failedUnits: Set<UnitName> = []
  var frozenUnits: Set<UnitName> = []
  /// PID 1 stops these; when its patience ends, SIGKILL.
  private(set) var killTimes: [UnitName: LoopTime] = [:]
  var doors: [PodName: Door] = [:]
  /// Whose secrets lie in each pod's directory: a program stores what it likes, of all users that it serves.
  var stored: [PodName: Set<UserName>] = [:]
  var usersFiles: [PodName: UsersFiles] = [:]
  /// Tokens up to this epoch are dead, as a caller was told.
  private(set) var withdrawn: [UserName: Int64] = [:]
  /// A program that serves somebody who was withdrawn.
  private(set) var betrayal: String?
  /// How often a program was notified.
  private(set) var notifications = 0
  /// How each generation's program listens and overlaps.
  private(set) var handovers: [UnitName: Lifecycle.Handover] = [:]
  /// How each generation's main process ended, for whoever can tell.
  private(set) var exits: [UnitName: EndEvidence] = [:]
  /// Requests that ended unanswered with their process, by the units that were to be stopped gracefully.
  private(set) var lostByStop: [UnitName: Int] = [:]
  /// Units in which nobody is to blame podd for a lost request: their stop was not meant to be graceful, or its
  /// time was over.
  var excused: Set<UnitName> = []
  /// When each pod's last request came or was answered.
  private(set) var usedAt: [PodName: LoopTime] = [:]
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

  mutating func attach(_ pid: Int32, to unit: UnitName, _ handover: Lifecycle.Handover) {
    processes[pid]?.unit = unit
    handovers[unit] = handover
  }
  /// Some programs read their users at once, and others when they are about to serve.
  mutating func release(_ pid: Int32) {
    processes[pid]?.isReleased = true
    if processes[pid]?.ticks.isMultiple(of: 2) ?? false { readUsers(pid) }
  }

  mutating func becomeReady(_ pid: Int32) {
    if processes[pid]?.users == nil { readUsers(pid) }
    processes[pid]?.isReady = true
  }

  mutating func hang(_ pid: Int32) { processes[pid]?.isHung = true }

  /// One process ends; the main process's evidence is kept with its generation.
  mutating func end(_ pid: Int32, _ exit: EndEvidence.Exit, oomKills: UInt64 = 0, ownLimit: UInt64 = 0) {
    guard let process = processes.removeValue(forKey: pid), let unit = process.unit else { return }
    if !isPopulated(unit) {
      killTimes[unit] = nil
      frozenUnits.remove(unit)
    }
    guard process.isMain else { return }
    if process.isTerminating && process.requests > 0 { lostByStop[unit, default: 0] += process.requests }
    var evidence = EndEvidence()
    evidence.exit = exit
    evidence.oomKills = oomKills
    evidence.ownLimitOOMs = ownLimit
    exits[unit] = evidence
  }

  /// PID 1 is asked to stop a unit: KillSignal now, SIGKILL when `patience` is over.
  mutating func terminate(_ unit: UnitName, patience: Microseconds) {
    guard isPopulated(unit) else { return }
    killTimes[unit] = min(killTimes[unit] ?? .never, now + patience)
    for pid in members(unit) {
      processes[pid]?.isTerminating = true
      // A program that binds by itself is the kind that does not wait for anything.
      if handovers[unit] == .drain, let process = processes[pid], !process.isHung, !frozenUnits.contains(unit)
      {
        cut(pid)
        // Some take their time nevertheless.
        if !process.ticks.isMultiple(of: 3) { end(pid, .signal("TERM")) }
      }
    }
  }

  /// It serves nobody any more, and drops what it has begun.
  private mutating func cut(_ pid: Int32) {
    guard let process = processes[pid], let unit = process.unit else { return }
    if process.isMain && process.requests > 0 { lostByStop[unit, default: 0] += process.requests }
    processes[pid]?.requests = 0
    processes[pid]?.isReady = false
  }

  /// Every process of it is gone, at once.
  mutating func kill(_ unit: UnitName) {
    excused.insert(unit)
    for pid in members(unit) { end(pid, .signal("KILL")) }
  }

  /// What is due by now.
  mutating func passTime() {
    for (unit, at) in killTimes where at <= now { kill(unit) }
    for (pod, door) in doors where door.heldUntil.map({ $0 <= now }) ?? false {
      doors[pod]?.heldUntil = nil
      // It lasts for longer than podd needs, unless podd waits for its disk: then the program that is to end gets requests.
      excused.formUnion(populated.filter { $0.pod == pod })
    }
  }

  var nextKill: LoopTime? { killTimes.values.min() }

  mutating func reboot() {
    boot += 1
    processes = [:]
    failedUnits = []
    frozenUnits = []
    killTimes = [:]
    usersFiles = [:]
    doors = [:]
    exits = [:]
  }

  // MARK: Users

  mutating func readUsers(_ pid: Int32) {
    guard let unit = processes[pid]?.unit else { return }
    processes[pid]?.users = usersFiles[unit.pod]?.users ?? []
    processes[pid]?.hasReloadSignal = false
    noteBetrayal(by: pid)
  }

  /// A process that does something handles its signals first.
  mutating func handleSignal(_ pid: Int32) {
    guard let process = processes[pid], process.hasReloadSignal, !process.isHung,
      let unit = process.unit, !frozenUnits.contains(unit)
    else { return }
    readUsers(pid)
  }

  mutating func signalReload(_ pid: Int32) {
    notifications += 1
    processes[pid]?.hasReloadSignal = true
  }

  /// A caller is told that no program serves the user: whoever has the token uses it from now on.
  mutating func withdraw(_ user: UserName, upTo epoch: Int64) {
    withdrawn[user] = max(withdrawn[user] ?? 0, epoch)
    for pid in processes.keys { noteBetrayal(by: pid) }
  }

  private mutating func noteBetrayal(by pid: Int32) {
    guard let process = processes[pid], let unit = process.unit, process.isMain, !process.hasReloadSignal,
      let users = process.users
    else { return }
    for token in users where withdrawn[token.user].map({ token.epoch <= $0 }) ?? false {
      betrayal = "\(unit) serves \(token.user), who was withdrawn"
    }
  }

  // MARK: Requests

  /// A process takes somebody from the queue, finishes somebody, or, told to stop and done, ends.
  mutating func serve(_ pid: Int32, finishing: Bool) {
    handleSignal(pid)
    guard let process = processes[pid], let unit = process.unit, process.isReady, !process.isHung,
      !frozenUnits.contains(unit)
    else { return }
    if process.requests > 0 && (finishing || process.isTerminating) {
      processes[pid]?.requests -= 1
      usedAt[unit.pod] = now
    } else if !process.isTerminating, let door = doors[unit.pod], door.waiting > 0, door.heldUntil == nil,
      !door.isAsleep
    {
      doors[unit.pod]?.waiting -= 1
      processes[pid]?.requests += 1
    } else if process.isTerminating && process.requests == 0 {
      end(pid, .exited(0))
    }
  }

  /// A program that is not ready yet ends at once when told to.
  mutating func obey(_ pid: Int32) {
    guard let process = processes[pid], let unit = process.unit, process.isTerminating, !process.isHung,
      !frozenUnits.contains(unit), process.requests == 0
    else { return }
    end(pid, .signal("TERM"))
  }

  mutating func knock(_ pod: PodName) {
    doors[pod, default: Door()].waiting += 1
    usedAt[pod] = now
  }

  func requests(in unit: UnitName) -> Int {
    processes.values.reduce(0) { $1.unit == unit ? $0 + $1.requests : $0 }
  }

  // MARK: Looking

  func isPopulated(_ unit: UnitName) -> Bool { processes.values.contains { $0.unit == unit } }

  func isAlive(_ pid: Int32, _ ticks: UInt64) -> Bool { processes[pid]?.ticks == ticks }

  /// Sorted, because a set's order changes from run to run.
  var populated: [UnitName] {
    Set(processes.values.compactMap(\.unit)).sorted()
  }

  func members(_ unit: UnitName) -> [Int32] {
    processes.filter { $0.value.unit == unit }.keys.sorted()
  }

  /// Pids that fit, in an order that is the same in every run.
  func pids(where fits: (Process) -> Bool) -> [Int32] {
    processes.filter { fits($0.value) }.keys.sorted()
  }
}
