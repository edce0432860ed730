import Cgroup
import Glibc
import Linux
import PodModel
import Systemd
import Time

/// The running scope of a generation: its unit, its main process, watched by pidfd, and its cgroup.
@LoopActor
final class RunningScope {
  let unit: UnitName
  private(set) var pid: pid_t
  private(set) var startTicks: UInt64
  /// Whether this podd found it running instead of launching it.
  let adopted: Bool
  let cgroupPath: String
  /// Whether READY=1 follows its reload signal; assumed until it did not.
  var answersReload = true

  // In this order: the source goes before the descriptor that it watches.
  private var exitSource: EventSource?
  private var pidfd: FileDescriptor
  private let cgroup: Cgroup
  private let events: CgroupEvents
  private lazy var memoryEvents = MemoryEvents(self)
  /// One buffer for all scopes: everything here happens on the loop.
  private static let reader = MemoryReader()

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
    events = CgroupEvents(cgroup)
    self.cgroup = cgroup
  }

  // MARK: Watching

  /// Calls `onExit` once, when the main process has ended.
  func watchProcess(_ onExit: @escaping @LoopActor () -> Void) throws(Errno) {
    exitSource = try EventSource.io(
      EventLoop.main, descriptor: pidfd.raw, events: PollEvents.input
    ) { [weak self] _ in
      LoopActor.assumeIsolated {
        guard let self, self.exitSource != nil else { return }
        self.memoryEvents.readLast()
        self.exitSource = nil
        onExit()
      }
    }
  }

  /// Another of its processes becomes the main one; ``watchProcess(_:)`` is to be called again.
  func replaceMain(pid: pid_t, startTicks: UInt64, pidfd: consuming FileDescriptor) {
    exitSource = nil
    self.pid = pid
    self.startTicks = startTicks
    self.pidfd = pidfd
  }

  /// Calls `onFreeze` whenever all of the scope's processes are frozen or no longer are, whoever did it, and `onEmpty`
  /// once when none is left, and keeps the counters of memory.events.
  func watchCgroup(
    onFreeze: @escaping @LoopActor (Bool) -> Void, onEmpty: @escaping @LoopActor () -> Void
  ) {
    events.watch(onFreeze: onFreeze, onEmpty: onEmpty)
    memoryEvents.watch(try? cgroup.open(InterfaceFile.memoryEvents))
  }

  /// Whether any process is left in the scope. What cannot be read counts as populated.
  var isPopulated: Bool { events.isPopulated }

  /// Returns when no process is left in the scope, or at `deadline`.
  func untilEmpty(by deadline: LoopTime = .never) async {
    await events.untilEmpty(by: deadline)
  }

  // MARK: The end

  /// To be called once, when the main process has ended: reaps it, ends the watches but the one for
  /// ``untilEmpty(by:)``, and returns what is known about the end.
  func finish() -> EndEvidence {
    var evidence = memoryEvents.finish()
    events.ignore()
    evidence.adopted = adopted
    evidence.exit = Self.reap(pid)
    return evidence
  }

  /// How a child of podd's has ended, whose zombie goes with this call; nil for a process that is not podd's child.
  static func reap(_ pid: pid_t) -> EndEvidence.Exit? {
    switch ProcessEnd(ofChild: pid) {
    case .exited(let status): .exited(status)
    case .killed(let signal, _): .signal(signalName(signal))
    case nil: nil
    }
  }

  // MARK: Its processes

  /// Every process in the scope.
  var processes: [pid_t] { (try? cgroup.processes()) ?? [] }

  /// The scope's processes that were not started by one of its own, without the main one: workers.
  func otherRoots() -> [pid_t] {
    let members = Set(processes)
    return members.filter { member in
      member != pid && ProcessIdentity.parent(of: member).map { !members.contains($0) } ?? false
    }.sorted()
  }

  /// Whether its main process has not ended yet, wherever it is.
  var isAlive: Bool { !FileDescriptor.isReadable(pidfd.raw) }

  func signal(_ number: CInt) {
    PIDFD.send(number, to: pidfd)
  }

  /// SIGKILL to the whole scope at once (kernel 5.14), where systemd cannot be asked.
  func killCgroup() {
    try? cgroup.write(InterfaceFile.kill, "1")
  }

  /// By the kernel's own file: somebody else than systemd may have frozen it.
  func thaw() {
    try? cgroup.write(InterfaceFile.freeze, "0")
  }

  /// Puts another process into the scope: a worker, or the command of ExecReload=.
  func attach(_ pid: pid_t) throws(CgroupError) {
    try cgroup.write(InterfaceFile.processes, String(pid))
  }

  // MARK: Its cgroup's files

  func read(_ file: String) -> String? {
    try? cgroup.read(file)
  }

  /// What `read` makes of its cgroup; nil when that is gone.
  func withCgroup<Value>(_ read: (borrowing Cgroup) throws(CgroupError) -> Value) -> Value? {
    do throws(CgroupError) { return try read(cgroup) } catch { return nil }
  }

  /// A file that holds one number; nil also for `max`.
  func number(_ file: String) -> UInt64? {
    withCgroup { cgroup throws(CgroupError) in try Self.reader.number(file, cgroup) } ?? nil
  }

  /// Can still be read when the cgroup has been removed.
  func attribute(_ name: String) -> UInt64? { cgroup.attribute(name) }

  /// Processor time that it has used.
  var cpuUsage: Microseconds? {
    withCgroup { cgroup throws(CgroupError) in Self.reader.cpuUsage(cgroup) } ?? nil
  }
}
