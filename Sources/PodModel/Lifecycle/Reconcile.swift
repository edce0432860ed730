/// What to do about each scope that runs and each generation on record, so that the two agree (design.md,
/// invariant 4). Pure: podd looks and acts, a simulation does the same.
public enum Reconcile {
  /// A generation whose end is not on record.
  public struct Row: Sendable, Equatable {
    public var unit: UnitName
    /// The boot in which it ran; nil when podd ended before it could write that down.
    public var bootID: String?

    public init(unit: UnitName, bootID: String?) {
      self.unit = unit
      self.bootID = bootID
    }
  }

  /// A scope that PID 1 has loaded, or a cgroup of one of ours that has processes although PID 1 forgot it
  /// (facts 8).
  public struct Scope: Sendable, Equatable {
    public var unit: String
    /// Whether the generation's main process lives in it, compared with the record by more than its pid.
    public var hasMainProcess: Bool
    /// What is neither running nor failed is not loaded for long: taken for running.
    public var isFailed: Bool
    public var isPopulated: Bool

    public init(unit: String, hasMainProcess: Bool, isFailed: Bool, isPopulated: Bool) {
      self.unit = unit
      self.hasMainProcess = hasMainProcess
      self.isFailed = isFailed
      self.isPopulated = isPopulated
    }
  }

  public enum Action: Sendable, Equatable {
    /// It runs on as if podd had never been away.
    case adopt(UnitName)
    /// Stop the unit and wait until no process of it is left. Nobody can take it over.
    case stop(String, owned: Bool)
    /// An empty unit that failed: PID 1 shall forget it.
    case resetFailed(String)
    /// Record an end that nobody saw. Its scope, if it had one, was stopped before.
    case end(UnitName)
  }

  /// - Parameter boot: the boot ID of now.
  /// - Returns: first what takes over running pods, so that they are watched at once; then the stops; then
  ///   the ends, none of which may be recorded while a process of that generation is alive.
  public static func decide(rows: [Row], scopes: [Scope], boot: String) -> [Action] {
    let scopeOf = Dictionary(scopes.map { ($0.unit, $0) }, uniquingKeysWith: { first, _ in first })
    var adopted: [PodName: UnitName] = [:]
    for row in rows where row.bootID == nil || row.bootID == boot {
      guard scopeOf[row.unit.description]?.hasMainProcess == true else { continue }
      // One generation serves a pod's data: the newest, when an older one's end went unrecorded.
      if let other = adopted[row.unit.pod], other.generation > row.unit.generation { continue }
      adopted[row.unit.pod] = row.unit
    }
    let kept = Set(adopted.values)
    let known = Set(rows.map(\.unit.description))
    let order = rows.map(\.unit).sorted { ($0.pod, $0.generation) < ($1.pod, $1.generation) }

    var actions = order.filter { kept.contains($0) }.map { Action.adopt($0) }
    for scope in scopeOf.values.sorted(by: { $0.unit < $1.unit }) {
      if let unit = UnitName(scope.unit), kept.contains(unit) { continue }
      actions.append(
        scope.isFailed && !scope.isPopulated
          ? .resetFailed(scope.unit) : .stop(scope.unit, owned: known.contains(scope.unit)))
    }
    return actions + order.filter { !kept.contains($0) }.map { .end($0) }
  }
}
