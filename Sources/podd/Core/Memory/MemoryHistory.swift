import Cgroup
import PodAPI
import PodModel
import PodStore
import Systemd
import Time

/// Records the memory of every pod minute by minute and keeps it for 30 days. Nothing else waits for it or
/// depends on it (docs/decisions/0016).
@LoopActor
final class MemoryHistory {
  private static let file = "\(StateDirectory.path)/history.db"
  private static let minute: Microseconds = .minutes(1)
  /// The most rows in one reply: half a megabyte.
  private static let answerLimit = 5000
  /// How many pods are read before other events have their turn.
  private static let podsAtATime = 32

  private unowned let host: PodHost
  /// Nil when no history is kept.
  private let worker: HistoryWorker?
  private var gathered: [PodName: MemoryMinute] = [:]
  /// The last minutes of generations that have been replaced since the last write.
  private var left: [HistoryRecord] = []
  private var totals: [PodName: Totals] = [:]
  private var timer: EventSource?
  private var complaint: String?
  private var clock = SteadyClock()

  /// The kernel's counters for a generation at the end of the last minute.
  private struct Totals {
    let generation: Int
    var stalledSome = Microseconds.zero
    var stalledFull = Microseconds.zero
    var cpu = Microseconds.zero
  }

  init(host: PodHost) {
    self.host = host
    var limits = HistoryStore.Limits()
    limits.bytes = host.settings.historyMaxUse
    let store = HistoryStore(file: Self.file, limits: limits) { cause, aside in
      PodEvent.historySetAside(aside, cause: cause.description).log()
    }
    worker = limits.bytes == 0 ? nil : HistoryWorker(store, limit: 256)
  }

  // MARK: Gathering

  /// Takes a sample of a running pod. Once a minute, a pod's samples become one row.
  func note(_ sample: MemorySample, of pod: Pod) {
    guard worker != nil, let scope = pod.scope else { return }
    let number = scope.unit.generation
    let new = MemoryMinute(sample, minute: MemoryMinute.number(at: Clock.wall), generation: number)
    if let minute = gathered[pod.name], minute.generation == number {
      gathered[pod.name]?.add(new)
    } else {
      if let last = gathered[pod.name] { left.append(HistoryRecord(pod: pod.name, minute: last)) }
      gathered[pod.name] = new
    }
    if totals[pod.name]?.generation != number {
      var begin = Totals(generation: number)
      // What an adopted generation used before does not belong to this minute.
      if scope.adopted { Self.read(scope, &begin) }
      totals[pod.name] = begin
    }
    arm()
  }

  /// Fires at the end of the host's minute; not armed while no pod runs.
  private func arm() {
    guard timer == nil else { return }
    let rest = Self.minute - Clock.wall.sinceEpoch % Self.minute
    do throws(Errno) {
      timer = try EventSource.timer(EventLoop.main, after: rest, accuracy: .seconds(1)) { [weak self] in
        LoopActor.assumeIsolated {
          self?.timer = nil
          loopTask { await self?.write() }
        }
      }
    } catch {
      complain("\(error)")
    }
  }

  /// Writes the gathered minutes; returns when they are written or could not be.
  func write() async {
    guard let worker, !gathered.isEmpty || !left.isEmpty else { return }
    var records = left
    let minutes = gathered
    left = []
    gathered = [:]
    for (count, (name, minute)) in minutes.enumerated() {
      if count % Self.podsAtATime == Self.podsAtATime - 1 { await EventLoop.main.sleep(Microseconds(1)) }
      records.append(HistoryRecord(pod: name, minute: counted(minute, of: name)))
    }
    totals = totals.filter { host.pods[$0.key]?.scope != nil }
    let clocks = Clock.now
    let now = MemoryMinute.number(at: clocks.wall)
    let isSteady = clock.isSteady(clocks)
    let written = records
    do throws(StoreError) {
      try await worker.run { store throws(StoreError) in
        try store.add(written, now: now, deletesByAge: isSteady)
      }
      if complaint != nil { Log.notice("Memory history is recorded again.") }
      complaint = nil
    } catch {
      complain("\(error)")
    }
  }

  /// Adds what the kernel counted since the last minute.
  private func counted(_ minute: MemoryMinute, of name: PodName) -> MemoryMinute {
    guard let scope = host.pods[name]?.scope, let before = totals[name],
      before.generation == minute.generation, scope.unit.generation == minute.generation
    else { return minute }
    var now = before
    Self.read(scope, &now)
    totals[name] = now
    var minute = minute
    minute.stalledSome = now.stalledSome - before.stalledSome
    minute.stalledFull = now.stalledFull - before.stalledFull
    minute.cpu = now.cpu - before.cpu
    return minute
  }

  /// A counter that cannot be read, because the cgroup is gone, keeps its value.
  private static func read(_ scope: RunningScope, _ totals: inout Totals) {
    totals.cpu = scope.cpuUsage ?? totals.cpu
    if let text = scope.read(InterfaceFile.memoryPressure), let pressure = try? CgroupFiles.pressure(text) {
      totals.stalledSome = pressure.some.total
      totals.stalledFull = pressure.full?.total ?? .zero
    }
  }

  private func complain(_ text: String) {
    if complaint == nil {
      Log.warning("Memory history is currently not recorded; pods are unaffected. \(text)")
    }
    complaint = text
  }

  // MARK: Queries

  /// The reply to `GetHistory`; for a removed pod, the rows that are left.
  func minutes(
    ofPod name: String, since: WallTime, until: WallTime, limit: UInt32
  ) async throws(Refusal) -> [MemoryMinute] {
    guard let pod = PodName(name) else {
      _ = try host.pod(named: name)
      return []
    }
    let first = MemoryMinute.number(at: since) + (since.sinceEpoch % Self.minute == .zero ? 0 : 1)
    let last = MemoryMinute.number(at: until)
    let most = limit == 0 ? Self.answerLimit : min(Int(limit), Self.answerLimit)
    var found: [MemoryMinute] = []
    if let worker, first <= last {
      do throws(StoreError) {
        found = try await worker.run { store throws(StoreError) in
          try store.history(ofPod: pod, minutes: first...last, limit: most)
        }
      } catch {
        throw Refusal(error)
      }
    }
    if found.isEmpty { _ = try host.pod(named: name) }
    return found
  }
}
