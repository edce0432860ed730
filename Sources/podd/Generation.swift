import Cgroup
import CLinux
import Glibc
import PodModel
import Systemd

/// One running generation: its main process, watched by pidfd, and its scope's cgroup.
@LoopActor
final class Generation {
  let unit: UnitName
  let pid: pid_t
  let startTicks: UInt64
  /// Whether this podd found it running instead of launching it.
  let adopted: Bool
  let cgroupPath: String
  var notifiedReady = false
  /// Until it was seen not to: whether READY=1 follows its reload signal.
  var answersReload = true

  private let pidfd: FileDescriptor
  private let cgroup: Cgroup
  private var exitSource: EventSource?
  private var memorySource: EventSource?
  private var memoryEvents: FileDescriptor?
  private var memoryEventsNumber: CInt = -1
  private var baseline = OOMCounters()
  private var counters = OOMCounters()

  /// `oom_kill` of memory.events and `oom` of memory.events.local (facts 7).
  struct OOMCounters: Equatable {
    var kills: UInt64 = 0
    var ownLimit: UInt64 = 0
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
  func watch(_ onExit: @escaping @LoopActor () -> Void) throws(Errno) {
    exitSource = try EventSource.io(
      EventLoop.main, descriptor: pidfd.raw, events: PollEvents.input
    ) { [weak self] _ in
      LoopActor.assumeIsolated {
        guard let self, self.exitSource != nil else { return }
        self.readCounters()
        self.exitSource = nil
        self.memorySource = nil
        onExit()
      }
    }
    // The counters go with the cgroup, which systemd removes as soon as it is empty: what counts is read
    // when the kernel says that it changed.
    guard let raw = try? cgroup.openForEvents("memory.events") else { return }
    memoryEvents = FileDescriptor(owning: raw)
    memoryEventsNumber = raw
    readCounters()
    if adopted { baseline = counters }
    memorySource = try EventSource.io(EventLoop.main, descriptor: raw, events: PollEvents.priority) {
      [weak self] events in
      LoopActor.assumeIsolated {
        guard let self else { return }
        // The file of a removed cgroup reports an error for ever (facts 19).
        if !self.readCounters() || events & PollEvents.error != 0 && !self.isPopulated {
          self.memorySource = nil
        }
      }
    }
  }

  /// What is known about the end, once the main process is gone.
  func evidence() -> EndEvidence {
    var evidence = EndEvidence()
    evidence.adopted = adopted
    evidence.oomKills = counters.kills - min(baseline.kills, counters.kills)
    evidence.ownLimitOOMs = counters.ownLimit - min(baseline.ownLimit, counters.ownLimit)
    var code: CInt = 0
    var status: CInt = 0
    if linux_wait_child(pid, &code, &status) == 0 {
      switch code {
      case CInt(CLD_EXITED): evidence.exit = .exited(status)
      case CInt(CLD_KILLED), CInt(CLD_DUMPED): evidence.exit = .signal(signalName(status))
      default: break
      }
    }
    return evidence
  }

  /// Whether any process is left in the scope. What cannot be read is taken for alive: a second copy beside
  /// a living one is the greater harm.
  var isPopulated: Bool {
    do throws(CgroupError) { return try cgroup.isPopulated() } catch { return true }
  }

  func signal(_ number: CInt) {
    _ = linux_pidfd_send_signal(pidfd.raw, number)
  }

  /// SIGKILL to the whole scope at once (kernel 5.14); for when systemd cannot be asked.
  func killCgroup() {
    try? cgroup.write("cgroup.kill", "1")
  }

  /// Puts another process into the scope, for ExecReload=.
  func attach(_ pid: pid_t) throws(CgroupError) {
    try cgroup.write("cgroup.procs", String(pid))
  }

  func read(_ file: String) -> String? {
    try? cgroup.read(file)
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

  @discardableResult
  private func readCounters() -> Bool {
    guard let events = try? cgroup.read("memory.events") else { return false }
    counters.kills = max(counters.kills, CgroupFiles.value(of: "oom_kill", in: events) ?? 0)
    if let local = try? cgroup.read("memory.events.local") {
      counters.ownLimit = max(counters.ownLimit, CgroupFiles.value(of: "oom", in: local) ?? 0)
    }
    // Reading through its own descriptor is what clears the notification (facts 20).
    if memoryEventsNumber >= 0 {
      var scratch = [UInt8](repeating: 0, count: 512)
      _ = scratch.withUnsafeMutableBytes { pread(memoryEventsNumber, $0.baseAddress, $0.count, 0) }
    }
    return true
  }
}
