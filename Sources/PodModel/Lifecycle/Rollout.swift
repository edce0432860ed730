public import Time

/// A rollout: the pods of one tier are replaced gracefully, in batches. Each batch has to prove itself before the next
/// one begins, and the first pod that does not come back, or does not stay ready, stops the rollout; the other pods
/// are left alone. podd replaces the pods, waits, and reports.
public struct Rollout: Sendable, Equatable {
  /// What a rollout is asked to do.
  public enum Mode: String, Sendable, CaseIterable {
    /// Replace every pod of the tier.
    case restart
    /// Replace only the pods that have not been replaced since the stopped rollout began.
    case resume
    /// Restore the workload file from before the rollout, then replace the pods that do not run with it.
    case revert
  }

  /// How far the latest rollout of a tier came, which is on record.
  public enum Outcome: String, Sendable, CaseIterable {
    /// Under way, or interrupted by the end of podd.
    case running
    /// Stopped at a pod that did not become ready, or did not stay so.
    case stopped
    case done

    /// Whether a rollout can continue from here.
    public var canResume: Bool { self != .done }
  }

  /// Why a rollout stopped.
  public struct Stop: Error, Sendable, Equatable, CustomStringConvertible {
    /// The pod at which it stopped.
    public let pod: PodName
    /// A clause about that pod.
    public let why: String

    public init(pod: PodName, why: String) {
      self.pod = pod
      self.why = why
    }

    /// What the record of the rollout says.
    public var description: String { "\(pod): \(why)" }
  }

  /// How many pods are replaced at a time where nobody says it.
  public static let defaultBatchSize = 2
  /// How long each batch has to stay ready where nobody says it.
  public static let defaultProof: Microseconds = .seconds(10)

  public let tier: String
  /// The number of pods that are to be replaced.
  public let total: Int
  /// The number of pods that have been replaced and have proven themselves.
  public private(set) var replaced = 0
  private let batchSize: Int
  private var waiting: ArraySlice<PodName>

  /// - Parameters:
  ///   - pods: in the order in which they are replaced.
  ///   - batchSize: how many at a time, at least 1.
  public init(tier: String, pods: [PodName], batchSize: Int = defaultBatchSize) {
    self.tier = tier
    self.batchSize = max(1, batchSize)
    total = pods.count
    waiting = pods[...]
  }

  /// Takes the next batch; nil when every pod had its turn.
  ///
  /// - Parameter isWanted: whether a pod still exists and is wanted to run. One that was stopped or removed meanwhile is
  ///   left alone, and so a batch may be empty.
  public mutating func nextBatch(where isWanted: (PodName) -> Bool) -> [PodName]? {
    guard !waiting.isEmpty else { return nil }
    defer { waiting = waiting.dropFirst(batchSize) }
    return waiting.prefix(batchSize).filter(isWanted)
  }

  /// A pod of a proven batch counts as replaced.
  public mutating func countReplaced() { replaced += 1 }

  /// The error that the caller gets.
  public func sentence(_ stop: Stop) -> String { "the \(clause(stop))" }

  /// Where and why it stopped, without the article that begins a sentence about it.
  public func clause(_ stop: Stop) -> String {
    "rollout of tier \(tier) stopped at \(stop.pod) after \(replaced) of \(total) pods: \(stop.why)"
  }
}

extension Rollout {
  /// What decides whether a pod of the tier is replaced.
  public struct Candidate: Sendable, Equatable {
    public var pod: PodName
    public var state: PodState
    public var wanted: Lifecycle.Wanted
    /// When its current generation was begun; nil: it has none.
    public var begunAt: WallTime?
    /// The version of the workload file that its current generation was launched with.
    public var version: String?

    public init(
      pod: PodName, state: PodState, wanted: Lifecycle.Wanted, begunAt: WallTime? = nil,
      version: String? = nil
    ) {
      self.pod = pod
      self.state = state
      self.wanted = wanted
      self.begunAt = begunAt
      self.version = version
    }

    /// - Parameters:
    ///   - startedAt: when the rollout began, the first time if it is resumed.
    ///   - version: what the next generations are launched with.
    fileprivate func isDue(_ mode: Mode, startedAt: WallTime, version: String) -> Bool {
      guard wanted == .run else { return false }
      // A pod that is not ready has proven nothing.
      return switch mode {
      case .restart: true
      case .resume: begunAt ?? .epoch < startedAt || state != .ready
      case .revert: self.version != version || state != .ready
      }
    }
  }

  /// The pods that a rollout replaces, in its order. Pods that are not wanted to run get the new settings with their
  /// next launch.
  ///
  /// - Parameters:
  ///   - startedAt: when the rollout began, the first time if it is resumed.
  ///   - version: what the next generations are launched with.
  public static func pods(
    _ candidates: [Candidate], _ mode: Mode, startedAt: WallTime, version: String
  ) -> [PodName] {
    candidates.filter { $0.isDue(mode, startedAt: startedAt, version: version) }.map(\.pod).sorted()
  }
}

extension Rollout {
  /// A pod of a batch, as it is now.
  public struct Member: Sendable, Equatable {
    public var pod: PodName
    public var state: PodState
    /// Its current generation; nil: it has none.
    public var unit: UnitName?
    /// Why it is being stopped; nil: it is not.
    public var stopCause: EndReason?
    /// Why its last generation ended.
    public var lastEnd: EndReason?

    public init(
      pod: PodName, state: PodState, unit: UnitName?, stopCause: EndReason? = nil, lastEnd: EndReason? = nil
    ) {
      self.pod = pod
      self.state = state
      self.unit = unit
      self.stopCause = stopCause
      self.lastEnd = lastEnd
    }
  }

  /// The proof of a batch: each of its pods stays the same ready generation for a time.
  public struct Proof: Sendable, Equatable {
    /// The longest pause between two checks.
    static let longestPause: Microseconds = .milliseconds(250)

    private let units: [PodName: UnitName]
    private let deadline: LoopTime

    public enum Verdict: Sendable, Equatable {
      case proven
      /// Check again after this pause.
      case wait(Microseconds)
    }

    /// - Parameters:
    ///   - batch: its pods, right after they were replaced.
    ///   - duration: how long they have to stay ready; may be infinite.
    public init(of batch: [Member], for duration: Microseconds, now: LoopTime) {
      units = Dictionary(
        batch.compactMap { member in member.unit.map { (member.pod, $0) } },
        uniquingKeysWith: { first, _ in first })
      deadline = now + duration
    }

    /// - Throws: the first pod of the batch that has not stayed as it was.
    public func check(_ batch: [Member], now: LoopTime) throws(Stop) -> Verdict {
      for member in batch { try check(member) }
      return now >= deadline ? .proven : .wait(min(Self.longestPause, deadline - now))
    }

    private func check(_ member: Member) throws(Stop) {
      if member.state == .ready && member.unit == units[member.pod] { return }
      // A stop or a restart that somebody wanted says nothing against the pod. While it is being stopped, `lastEnd` is
      // still the end before.
      let cause = member.stopCause ?? member.lastEnd
      if cause?.isWanted ?? false { return }
      throw Stop(
        pod: member.pod, why: "it did not stay ready (\(cause.words)) and is \(member.state.rawValue)")
    }
  }
}
