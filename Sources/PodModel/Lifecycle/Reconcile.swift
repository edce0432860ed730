/// What to do about each scope that runs and each generation on record, so that the two agree (docs/design.md,
/// invariant 4). Pure: podd and the simulation read the state and perform
/// the actions.
public enum Reconcile {
  /// A generation whose end is not on record.
  public struct Row: Sendable, Equatable {
    public var unit: UnitName
    /// The boot in which it ran; nil when podd ended before it could write that down.
    public var bootID: String?
    /// Whether it is on record as having been ready.
    public var isReady: Bool

    public init(unit: UnitName, bootID: String?, isReady: Bool) {
      self.unit = unit
      self.bootID = bootID
      self.isReady = isReady
    }
  }

  /// A scope that PID 1 has loaded, or a cgroup of one of ours that has processes although PID 1 forgot it
  /// (facts 8).
  public struct Scope: Sendable, Equatable {
    public var unit: UnitName
    /// Whether the generation's main process lives in it, compared with the record by more than its pid.
    public var hasMainProcess: Bool
    /// Transitional states (activating, deactivating) are short-lived and count as running.
    public var isFailed: Bool
    public var isPopulated: Bool

    public init(unit: UnitName, hasMainProcess: Bool, isFailed: Bool, isPopulated: Bool) {
      self.unit = unit
      self.hasMainProcess = hasMainProcess
      self.isFailed = isFailed
      self.isPopulated = isPopulated
    }
  }

  public enum Action: Sendable, Equatable {
    /// It runs on as if podd had never been away.
    case adopt(UnitName)
    /// It runs next to the adopted generation of its pod, because podd ended in the middle of a handover: stop it. The
    /// adoption of its pod comes before.
    case relieve(UnitName)
    /// Stop the unit and wait until no process of it is left. Nobody can take it over.
    case stop(UnitName, owned: Bool)
    /// An empty unit that failed: have PID 1 unload it.
    case resetFailed(UnitName)
    /// Record an end that nobody saw. Its scope, if it had one, was stopped before.
    case end(UnitName)
  }

  /// - Parameter boot: the boot ID of now.
  /// - Returns: first what takes over running pods, so that they are watched at once; then the stops; then
  ///   the ends, none of which may be recorded while a process of that generation is alive.
  public static func decide(rows: [Row], scopes: [Scope], boot: String) -> [Action] {
    let scopeOf = Dictionary(scopes.map { ($0.unit, $0) }, uniquingKeysWith: { first, _ in first })
    let alive = rows.filter { row in
      (row.bootID == nil || row.bootID == boot) && scopeOf[row.unit]?.hasMainProcess == true
    }
    var adopted: Set<UnitName> = []
    var relieved: Set<UnitName> = []
    for (_, candidates) in Dictionary(grouping: alive, by: \.unit.pod) {
      // The newest that was ready: a successor that was not has never served anybody.
      let best = candidates.max {
        ($0.isReady ? 1 : 0, $0.unit.generation) < ($1.isReady ? 1 : 0, $1.unit.generation)
      }
      guard let best else { continue }
      adopted.insert(best.unit)
      // There should never be more than two; further ones are stopped at once.
      let second = candidates.filter { $0.unit != best.unit }.max { $0.unit.generation < $1.unit.generation }
      if let second { relieved.insert(second.unit) }
    }
    let kept = adopted.union(relieved)
    let known = Set(rows.map(\.unit))
    let order = rows.map(\.unit).sorted()

    var actions = order.filter(adopted.contains).map { Action.adopt($0) }
    actions += order.filter(relieved.contains).map { .relieve($0) }
    for scope in scopeOf.values.sorted(by: { $0.unit < $1.unit }) {
      if kept.contains(scope.unit) { continue }
      actions.append(
        scope.isFailed && !scope.isPopulated
          ? .resetFailed(scope.unit) : .stop(scope.unit, owned: known.contains(scope.unit)))
    }
    return actions + order.filter { !kept.contains($0) }.map { .end($0) }
  }
}
