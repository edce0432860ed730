import Cgroup
import PodAPI
import PodModel
import PodStore
import Systemd
import Time

/// Samples all running pods from one timer and passes the samples to the leak, stall and shortage rules. The
/// timer is off while no pod runs.
@LoopActor
final class MemoryWatch {
  /// How many pods are sampled before other events have their turn.
  private static let batch = 16
  /// How much of a generation's history is read after a start of podd: as many minutes as one reply has.
  private static let remembered: Microseconds = .minutes(5000)

  private unowned let host: PodHost
  private let reader = MemoryReader()
  private(set) lazy var leaks = LeakWatch(host)
  private lazy var stalls = StallWatch(host, reader)
  private var timer: EventSource?
  private var isSampling = false
  private var replacements = Replacements()
  /// Generations whose history is yet to be read, because they were taken over or their limit has changed.
  /// They are read one after the other, because a host has hundreds.
  private var toRemember: [(memory: RunMemory, scope: RunningScope, since: WallTime)] = []
  private var isRemembering = false
  private var mayRemember = false

  init(_ host: PodHost) {
    self.host = host
  }

  func start() async {
    await leaks.load()
    host.pressure.onPressure { [unowned self] source, _ in
      switch source {
      case .pod(let pod): stalls.suspect(pod)
      case .slice(let slice) where !host.pressure.podsHaveTriggers: stalls.suspect(slice: slice)
      case .slice, .host: break
      }
    }
  }

  /// To be called when a generation's program has started, or was found running.
  func began(_ generation: Generation, of pod: Pod) {
    guard let scope = generation.scope else { return }
    // The limits in force, because an administrator may have changed them without the tier's file.
    let memory = RunMemory(
      memoryMax: scope.number(InterfaceFile.memoryMax), memoryHigh: scope.number(InterfaceFile.memoryHigh))
    generation.memory = memory
    if scope.adopted {
      toRemember.append((memory, scope, generation.begunAt))
      rememberAll()
    }
    arm()
  }

  /// From now on, histories are read. To be called when podd is ready: nobody waits for them.
  func startRemembering() {
    mayRemember = true
    rememberAll()
  }

  private func rememberAll() {
    guard mayRemember, !isRemembering, !toRemember.isEmpty else { return }
    isRemembering = true
    loopTask {
      while !self.toRemember.isEmpty {
        let next = self.toRemember.removeFirst()
        await self.remember(next.memory, next.scope, since: next.since)
      }
      self.isRemembering = false
    }
  }

  /// Feeds the recorded minutes of a generation to its detector: a leak may have begun before this podd or
  /// this limit.
  private func remember(_ memory: RunMemory, _ scope: RunningScope, since begunAt: WallTime) async {
    let clocks = Clock.now
    let since = max(begunAt, clocks.wall - Self.remembered)
    let minutes: [MemoryMinute]
    do throws(Refusal) {
      minutes = try await host.memoryHistory.minutes(
        ofPod: scope.unit.pod.description, since: since, until: clocks.wall, limit: 0)
    } catch {
      return Log.notice(
        "\(scope.unit): a leak that began before this podd is noticed late: \(error.message)")
    }
    memory.remember(
      minutes.filter { $0.generation == scope.unit.generation }.compactMap { minute in
        // A minute's row stands for some time within that minute.
        guard let at = clocks.loop(of: minute.time) else { return nil }
        return MemorySample(
          at: min(at, clocks.loop), anon: minute.anon, swap: minute.swap, file: minute.file,
          current: minute.current,
          activeUsers: minute.activeUsers)
      })
  }

  /// Samples a pod's memory now; nil where nothing runs.
  func sample(_ pod: Pod) -> MemorySample? {
    guard let scope = pod.scope,
      let reading = scope.withCgroup({ cgroup throws(CgroupError) in try reader.read(cgroup) })
    else { return nil }
    let sample = MemorySample(at: EventLoop.main.now(), reading, activeUsers: pod.record.activeUsers)
    pod.current?.sample = sample
    return sample
  }

  // MARK: Sampling

  private func arm(took: Microseconds = .zero) {
    guard timer == nil, !isSampling, host.pods.values.contains(where: { $0.scope != nil }) else {
      return
    }
    let period = host.settings.memorySampleInterval
    do throws(Errno) {
      // The timer may be late, so that the loop wakes once for this and the probes.
      timer = try EventSource.timer(
        EventLoop.main, after: period - min(took, period / 2), accuracy: min(period / 10, .seconds(1))
      ) { [unowned self] in
        LoopActor.assumeIsolated {
          timer = nil
          loopTask { await self.round() }
        }
      }
    } catch {
      Log.error("The memory of pods is no longer sampled: \(error)")
    }
  }

  /// To be called after a reload, which may have changed MemorySampleSec=.
  func settingsChanged() {
    timer = nil
    arm()
  }

  private func round() async {
    isSampling = true
    let begun = EventLoop.main.now()
    let running = host.pods.values.filter { $0.scope != nil }
    for (index, pod) in running.enumerated() {
      if index % Self.batch == Self.batch - 1 { await EventLoop.main.sleep(Microseconds(1)) }
      let used = pod.scope?.cpuUsage
      note(pod, cpu: used)
      pod.noteActivity(cpu: used)
    }
    leaks.decide()
    host.shortage.look()
    isSampling = false
    arm(took: EventLoop.main.now() - begun)
  }

  private func note(_ pod: Pod, cpu: Microseconds?) {
    // A frozen pod allocates nothing, and a pod that starts or stops says nothing about a leak.
    guard pod.state == .ready, let generation = pod.current, let memory = generation.memory,
      let sample = sample(pod)
    else {
      return
    }
    host.memoryHistory.note(sample, of: pod)
    memory.add(sample)
    if let scope = generation.scope, memory.limitsChanged(of: scope, now: sample.at) {
      toRemember.append((memory, scope, generation.begunAt))
      rememberAll()
    }
    // How busy a pod is matters only when podd decides when to replace it.
    if memory.finding.isLeak, let cpu { memory.addLoad(used: cpu, at: sample.at) }
  }

  // MARK: Replacing

  /// Nil when this pod can be replaced now, else why not.
  func hindrance(_ pod: Pod) -> Replacements.Hindrance? {
    replacements.hindrance(
      of: pod.name, canLaunch: { pod.nextWorkload != nil }, launchesMax: host.settings.launchesMax
    ) { name in
      host.pods[name].map {
        Replacements.Pod(
          state: $0.state, isBeingReplaced: $0.lifecycle.isBeingReplaced, hasOther: $0.lifecycle.other != nil)
      }
    }
  }

  func replace(_ pod: Pod, _ reason: EndReason) {
    replacements.begin(pod.name)
    pod.replace(reason)
  }
}

extension MemorySample {
  init(at: LoopTime, _ reading: MemoryReading, activeUsers: Int) {
    self.init(
      at: at, anon: reading.anon &+ reading.shmem &+ reading.slabUnreclaimable, swap: reading.swap,
      file: reading.file - min(reading.shmem, reading.file), current: reading.current,
      activeUsers: activeUsers)
  }
}
