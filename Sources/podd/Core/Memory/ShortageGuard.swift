import Glibc
import PodAPI
import PodModel
import Systemd
import Time

/// Makes idle pods give up memory while the host is short of it: asks ``Shortage`` for the next action,
/// performs it, and measures again. Without pressure it reads two small files now and then.
@LoopActor
final class ShortageGuard {
  /// The pause between an action and the next measurement, because the pressure figures lag.
  private static let pause: Microseconds = .milliseconds(250)
  /// The pause between measurements while no pod can give up memory.
  private static let patience: Microseconds = .seconds(1)

  /// The kernel remembers ended connections for a minute; this is less by the timer's inaccuracy.
  private static let remembered: Microseconds = .seconds(55)

  enum Place { case host, pods }

  /// The stall that a pressure event proves. An average over a longer time would dilute it (PressureWatch).
  private static let feltStall = 0.1

  private unowned let host: PodHost
  private lazy var looks = ShortageLooks(host: host)
  private var shortage = Shortage()
  /// Where the kernel has just reported that tasks waited for memory.
  private var felt: Set<Place> = []
  private var isLooking = false
  private var hasReportedStuck = false
  private var freed: UInt64 = 0

  init(host: PodHost) { self.host = host }

  /// To be called once pods are taken over.
  func start() {
    host.pressure.onPressure { [weak self] source, _ in
      switch source {
      case .host: self?.look(felt: .host)
      case .slice(PressureWatch.podsSlice): self?.look(felt: .pods)
      // A tier's slice with a limit of its own concerns only its pods.
      case .slice, .pod: break
      }
    }
  }

  /// Measures whether memory is short, and makes pods give some up for as long as it is. MemoryWatch calls
  /// this with each of its rounds.
  func look(felt place: Place? = nil) {
    if let place { felt.insert(place) }
    guard host.settings.shortage.action > .none || shortage.since != nil else { return }
    // Which pods have been idle longest must be known before memory is short.
    host.endedConnections.note(maxAge: Self.remembered - host.settings.memorySampleInterval)
    guard !isLooking else { return }
    isLooking = true
    loopTask {
      while let wait = await self.step() { await EventLoop.main.sleep(wait) }
      self.isLooking = false
    }
  }

  /// The pause before the next measurement; nil: none until the next call of look().
  private func step() async -> Microseconds? {
    guard var level = looks.ofHost() else { return nil }
    var pods = looks.ofPods()
    if felt.contains(.host) { level.stall = max(level.stall, Self.feltStall) }
    if felt.contains(.pods), let stall = pods?.stall { pods?.stall = max(stall, Self.feltStall) }
    felt = []
    let wasShort = shortage.since != nil
    let verdict = shortage.next(
      host: level, pods: pods, candidates: looks.candidates, policy: host.settings.shortage,
      now: EventLoop.main.now())
    if !wasShort && shortage.since != nil {
      freed = 0
      hasReportedStuck = false
      host.report(.memoryShort(level))
    }
    switch verdict {
    case .calm: return nil
    case .over(let acts, let lasted):
      host.report(.memoryEased(level, acts: acts, lasted: lasted, freed: freed))
      return nil
    case .watch(let isStuck):
      if isStuck && !hasReportedStuck {
        Log.warning(
          "Memory is short, and no pod can give any up: all are busy, within their MemoryLow=, or have done so already. \(level.words)"
        )
      }
      hasReportedStuck = hasReportedStuck || isStuck
      return Self.patience
    case .act(let step):
      guard let pod = host.pods[step.pod] else { return Self.pause }
      let given = await pod.giveUpMemory(step)
      if let unit = pod.scope?.unit { looks.forget(unit) }
      freed += given
      return Self.pause
    }
  }
}
