import Cgroup
import CLinux
import Glibc
import PodModel
import Systemd

/// One running generation: its main process, watched by pidfd, and its scope's cgroup.
@LoopActor
final class RunningScope {
  let unit: UnitName
  private(set) var pid: pid_t
  private(set) var startTicks: UInt64
  /// Whether this podd found it running instead of launching it.
  let adopted: Bool
  let cgroupPath: String
  var notifiedReady = false
  /// Until it was seen not to: whether READY=1 follows its reload signal.
  var answersReload = true

  private var pidfd: FileDescriptor
  private let cgroup: Cgroup
  private var exitSource: EventSource?
  private var memorySource: EventSource?
  private var stateSource: EventSource?
  private var stateEvents: CgroupFile?
  /// The same file once more: reading through the watched descriptor would take the next notification away.
  private var stateFile: CgroupFile?
  private var isFrozen = false
  private var memory: (current: UInt64?, peak: UInt64?, max: UInt64?) = (nil, nil, nil)
  private var memoryEvents: CgroupFile?
  private var baseline = Counters()
  private var counters = Counters()
  /// Whether memory.events could still be read when the main process had ended.
  private var hasLastCounters = true
  /// One buffer for all of them: everything here happens on the loop.
  private static let reader = MemoryReader()
  /// Of memory.events: how many came within the second that began at `since`, and what ends a pause.
  private var burst: (since: UInt64, count: Int) = (0, 0)
  private var pause: EventSource?

  /// Notifications of memory.events a second that are attended to at once, and how long the next one waits then,
  /// microseconds. At memory.high and memory.max one comes with every reclaim, up to 100 a second (facts 20).
  private static let burstMost = 20
  private static let holdOff: UInt64 = 250_000

  /// Of memory.events; `oom` is its own limit's (facts 7).
  private struct Counters: Equatable {
    var high: UInt64 = 0
    var max: UInt64 = 0
    var kills: UInt64 = 0
    var ownLimit: UInt64 = 0
    /// `user.oomd_ooms`: how often systemd-oomd chose it. Written before the kill (systemd 252 to 257,
    /// src/oom/oomd-util.c).
    var oomd: UInt64 = 0
  }

  init(
    unit: UnitName, pid: pid_t, startTicks: UInt64, pidfd: consuming FileDescriptor,
    cgroup: consuming Cgroup, adopted: Bool
  ) {
    self.unit = unit
    self.pid = pid
    self.startTicks = startTicks
    self.pidfd = pidfd
    self.adopted = adopted
    cgroupPath = cgroup.path
    self.cgroup = cgroup
  }

  /// Calls `onExit` once, when the main process has ended.
  func watchProcess(_ onExit: @escaping @LoopActor () -> Void) throws(Errno) {
    exitSource = try EventSource.io(
      EventLoop.main, descriptor: pidfd.raw, events: PollEvents.input
    ) { [weak self] _ in
      LoopActor.assumeIsolated {
        guard let self, self.exitSource != nil else { return }
        self.hasLastCounters = self.readCounters(isLast: true)
        self.exitSource = nil
        onExit()
      }
    }
  }

  /// Another of its processes is the main one from now on; it is to be watched anew.
  func replaceMain(pid: pid_t, startTicks: UInt64, pidfd: consuming FileDescriptor) {
    exitSource = nil
    self.pid = pid
    self.startTicks = startTicks
    self.pidfd = pidfd
  }

  /// Calls `onFreeze` whenever all of the scope's processes are frozen, or no longer, by whoever's doing, `onEmpty`
  /// once when none is left, and keeps the counters of memory.events. They go with the cgroup, which systemd removes
  /// as soon as it is empty: what counts is read when the kernel says that it changed.
  func watchCgroup(
    onFreeze: @escaping @LoopActor (Bool) -> Void, onEmpty: @escaping @LoopActor () -> Void
  ) {
    watchState(onFreeze, onEmpty)
    guard let file = try? cgroup.open("memory.events") else { return }
    let raw = file.descriptor
    memoryEvents = consume file
    readCounters(isLast: true)
    if adopted { baseline = counters }
    memorySource = try? EventSource.io(EventLoop.main, descriptor: raw, events: PollEvents.priority) {
      [weak self] events in
      LoopActor.assumeIsolated {
        guard let self else { return }
        // The file of a removed cgroup reports an error for ever (facts 19).
        if !self.readCounters() || events & PollEvents.error != 0 && !self.isPopulated {
          self.memorySource = nil
        } else {
          self.holdOffAfterBurst()
        }
      }
    }
  }

  /// Counters are compared, so what comes in between is not lost. The end of the process reads them in any case.
  private func holdOffAfterBurst() {
    let now = EventLoop.main.now()
    if now >= burst.since.after(1_000_000) { burst = (now, 0) }
    burst.count += 1
    guard burst.count >= Self.burstMost else { return }
    pause = try? EventSource.timer(EventLoop.main, after: Self.holdOff) { [weak self] in
      LoopActor.assumeIsolated {
        guard let self else { return }
        self.pause = nil
        if self.memorySource != nil, self.readCounters() { self.memorySource?.setEnabled(true) }
      }
    }
    if pause != nil { memorySource?.setEnabled(false) }
  }

  /// cgroup.events says when the freezer's work is done (cgroup-v2.rst, "cgroup.freeze").
  private func watchState(
    _ onFreeze: @escaping @LoopActor (Bool) -> Void, _ onEmpty: @escaping @LoopActor () -> Void
  ) {
    guard let file = try? cgroup.open("cgroup.events") else { return }
    let raw = file.descriptor
    stateEvents = consume file
    stateFile = try? cgroup.open("cgroup.events")
    guard readFrozen(onFreeze) else { return onEmpty() }
    stateSource = try? EventSource.io(EventLoop.main, descriptor: raw, events: PollEvents.priority) {
      [weak self] _ in
      LoopActor.assumeIsolated {
        guard let self, self.stateSource != nil else { return }
        // The file of a removed cgroup reports an error for ever (facts 19).
        if self.readFrozen(onFreeze) { return }
        self.stateSource = nil
        onEmpty()
      }
    }
  }

  /// Returns false when nobody is left in it.
  private func readFrozen(_ handler: @LoopActor (Bool) -> Void) -> Bool {
    guard let state = stateEvents?.state else { return false }
    if state.isFrozen != isFrozen {
      isFrozen = state.isFrozen
      handler(isFrozen)
    }
    return state.isPopulated
  }

  /// Every process in the scope.
  var processes: [pid_t] { (try? cgroup.processes()) ?? [] }

  /// By the kernel's own file; systemd need not have been who froze it.
  func thaw() {
    try? cgroup.write("cgroup.freeze", "0")
  }

  /// What is known about the end, once the main process is gone.
  func evidence() -> EndEvidence {
    var evidence = EndEvidence()
    evidence.adopted = adopted
    evidence.oomKills = counters.kills - min(baseline.kills, counters.kills)
    evidence.ownLimitOOMs = counters.ownLimit - min(baseline.ownLimit, counters.ownLimit)
    evidence.oomdKills = counters.oomd - min(baseline.oomd, counters.oomd)
    evidence.memoryHighEvents = counters.high - min(baseline.high, counters.high)
    evidence.memoryMaxEvents = counters.max - min(baseline.max, counters.max)
    (evidence.memoryCurrent, evidence.memoryPeak, evidence.memoryMax) = memory
    evidence.countersAreLost = !hasLastCounters
    evidence.exit = Self.exit(of: pid)
    memorySource = nil
    pause = nil
    stateSource = nil
    return evidence
  }

  /// How a child that has ended did so, which no zombie outlives; nil for what is not podd's child.
  static func exit(of pid: pid_t) -> EndEvidence.Exit? {
    var code: CInt = 0
    var status: CInt = 0
    guard linux_wait_child(pid, &code, &status) == 0 else { return nil }
    switch code {
    case CInt(CLD_EXITED): return .exited(status)
    case CInt(CLD_KILLED), CInt(CLD_DUMPED): return .signal(signalName(status))
    default: return nil
    }
  }

  /// The scope's processes that were not started by one of its own, without the main one: workers.
  func otherRoots() -> [pid_t] {
    let members = Set(processes)
    return members.filter { member in
      member != pid && ProcessIdentity.parent(of: member).map { !members.contains($0) } ?? false
    }.sorted()
  }

  /// Whether any process is left in the scope. What cannot be read is taken for alive: a second copy beside
  /// a living one is the greater harm.
  var isPopulated: Bool {
    if let state = stateFile?.state { return state.isPopulated }
    do throws(CgroupError) { return try cgroup.isPopulated() } catch { return true }
  }

  /// Whether its main process has not ended yet, wherever it is.
  var isAlive: Bool { !FileDescriptor.isReadable(pidfd.raw) }

  func signal(_ number: CInt) {
    _ = linux_pidfd_send_signal(pidfd.raw, number)
  }

  /// SIGKILL to the whole scope at once (kernel 5.14); for when systemd cannot be asked.
  func killCgroup() {
    try? cgroup.write("cgroup.kill", "1")
  }

  /// Puts another process into the scope: a worker, or the command of ExecReload=.
  func attach(_ pid: pid_t) throws(CgroupError) {
    try cgroup.write("cgroup.procs", String(pid))
  }

  func read(_ file: String) -> String? {
    try? cgroup.read(file)
  }

  /// What `read` makes of its cgroup; nil when that is gone.
  func look<Value>(_ read: (borrowing Cgroup) throws(CgroupError) -> Value) -> Value? {
    do throws(CgroupError) { return try read(cgroup) } catch { return nil }
  }

  /// A file that holds one number; nil also for `max`.
  func number(_ file: String) -> UInt64? {
    look { cgroup throws(CgroupError) in try Self.reader.number(file, cgroup) } ?? nil
  }

  /// Processor time that it has used, microseconds.
  var cpuUsage: UInt64? {
    look { cgroup throws(CgroupError) in Self.reader.cpuUsage(cgroup) } ?? nil
  }

  /// Compares the limits in force with the tier's; an empty list when all are as they should be.
  func limitMismatches(_ tier: Tier) -> [String] {
    var wrong: [String] = []
    func expect(_ file: String, _ limit: UInt64?, granularity: UInt64 = 1) {
      let wanted = limit.map { $0 / granularity * granularity }
      guard let text = try? cgroup.read(file) else {
        wrong.append("\(file) cannot be read")
        return
      }
      let found = try? CgroupFiles.limit(text)
      if found != wanted { wrong.append("\(file) is \(text.filter { $0 != "\n" })") }
    }
    // The kernel keeps memory limits in whole pages.
    let page = UInt64(max(sysconf(CInt(_SC_PAGESIZE)), 1))
    expect("memory.max", tier.memoryMax, granularity: page)
    expect("memory.high", tier.memoryHigh, granularity: page)
    expect("pids.max", tier.tasksMax)
    // A kernel without swap accounting has no such file, and then no swap to limit either.
    if (try? cgroup.read("memory.swap.max")) != nil {
      expect("memory.swap.max", tier.memorySwapMax, granularity: page)
    }
    if let text = try? cgroup.read("cpu.max"), let (quota, period) = try? CgroupFiles.cpuMax(text) {
      // Quota per period against CPU time per second, in whole percents (facts 9).
      let found = quota.map { $0 * 100 / max(period, 1) }
      let wanted = tier.cpuQuotaPerSecUSec.map { max($0 * 100 / 1_000_000, 1) }
      if found != wanted { wrong.append("cpu.max is \(text.filter { $0 != "\n" })") }
    } else if tier.cpuQuotaPerSecUSec != nil {
      // Without a limit the slice may have no CPU controller, and then there is no such file.
      wrong.append("cpu.max cannot be read")
    }
    return wrong
  }

  /// The last that is known of it goes into the evidence: the files go with the cgroup.
  private func readMemory() {
    memory.current = number("memory.current") ?? memory.current
    memory.peak = number("memory.peak") ?? memory.peak
    memory.max = number("memory.max") ?? memory.max
  }

  /// Returns false when the cgroup is gone.
  /// - Parameter isLast: Whether to look at everything, also where nothing was killed.
  @discardableResult
  private func readCounters(isLast: Bool = false) -> Bool {
    var seen = counters
    // Set before the kill, and there when the cgroup is not.
    if isLast { seen.oomd = cgroup.attribute("user.oomd_ooms") ?? seen.oomd }
    defer { counters.oomd = seen.oomd }
    // Reading through its own descriptor is what clears the notification (facts 20).
    let isThere = try? memoryEvents?.read { text in
      CgroupFiles.eachPair(text) { key, value in
        if key.elementsEqual("high".utf8) { seen.high = max(seen.high, value) }
        if key.elementsEqual("max".utf8) { seen.max = max(seen.max, value) }
        if key.elementsEqual("oom_kill".utf8) { seen.kills = max(seen.kills, value) }
        // A scope has no cgroup below it, so this is memory.events.local's, and both are of one moment: between
        // two files the cgroup may go.
        if key.elementsEqual("oom".utf8) { seen.ownLimit = max(seen.ownLimit, value) }
        return true
      }
      return !text.isEmpty
    }
    guard isThere == true else { return false }
    if isLast || seen.max != counters.max || seen.kills != counters.kills {
      readMemory()
    }
    counters = seen
    return true
  }
}

extension CgroupFile {
  /// Of cgroup.events. A cgroup that is gone has nobody; what cannot be read is taken for alive.
  fileprivate var state: (isPopulated: Bool, isFrozen: Bool) {
    do throws(CgroupError) {
      return try read { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        return (
          CgroupFiles.value(of: "populated", in: text) != 0, CgroupFiles.value(of: "frozen", in: text) == 1
        )
      }
    } catch .gone {
      return (false, false)
    } catch {
      return (true, false)
    }
  }
}
