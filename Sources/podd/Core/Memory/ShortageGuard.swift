import Glibc
import PodAPI
import PodModel
import Systemd

/// Sees to it that memory which others need is given up by pods that nobody uses: asks ``Shortage`` what is next,
/// does it, and looks again. Without pressure it costs two small files now and then.
@LoopActor
final class ShortageGuard {
  /// Between an act and the next look: what was given up has to be felt first, microseconds.
  private static let pause: UInt64 = 250_000
  /// Between looks while there is nothing to do.
  private static let patience: UInt64 = 1_000_000

  /// The kernel remembers for a minute who was served, less what the timer may be late, microseconds.
  private static let remembered: UInt64 = 55_000_000

  enum Place { case host, pods }

  /// The kernel's word, which a look that averages over a longer time would water down (PressureWatch).
  private static let feltStall = 0.1

  private unowned let host: PodHost
  private lazy var looks = ShortageLooks(host: host)
  private var shortage = Shortage()
  /// Where the kernel has just said that tasks waited.
  private var felt: Set<Place> = []
  private var isLooking = false
  private var hasToldStuck = false
  private var freed: UInt64 = 0

  init(host: PodHost) { self.host = host }

  /// Once pods are taken over.
  func start() {
    host.pressure.onPressure { [weak self] source, _ in
      switch source {
      case .host: self?.look(felt: .host)
      case .slice(PressureWatch.podsSlice): self?.look(felt: .pods)
      // A tier's slice with a limit of its own is its pods' matter.
      case .slice, .pod: break
      }
    }
  }

  /// Looks whether memory is short (MemoryWatch asks for it with each of its rounds), and as long as it is, has pods give some up.
  func look(felt place: Place? = nil) {
    if let place { felt.insert(place) }
    guard host.settings.shortage.action > .none || shortage.since != nil else { return }
    // Who will have been idle longest when memory is short has to be known before.
    looks.lookForEnded(maxAge: Self.remembered - min(host.settings.memorySampleUSec, Self.remembered))
    guard !isLooking else { return }
    isLooking = true
    loopTask {
      while let wait = await self.step() { await EventLoop.main.sleep(wait) }
      self.isLooking = false
    }
  }

  /// How long to wait before the next look; nil: until somebody asks for one.
  private func step() async -> UInt64? {
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
      hasToldStuck = false
      host.report(.memoryShort(level))
    }
    switch verdict {
    case .calm: return nil
    case .over(let acts, let lasted):
      host.report(.memoryEased(level, acts: acts, lastedUSec: lasted, freed: freed))
      return nil
    case .watch(let isStuck):
      if isStuck && !hasToldStuck {
        Log.warning(
          "Memory is short, and no pod has any to give up: all are busy, within their MemoryLow=, or have given it. \(level.words)"
        )
      }
      hasToldStuck = hasToldStuck || isStuck
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
