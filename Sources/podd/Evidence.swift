import PodAPI
import PodModel

extension EndEvidence {
  /// What is stored with the generation.
  var json: String {
    let exitText: String? =
      switch exit {
      case .exited(let status): "exited:\(status)"
      case .signal(let name): "signal:\(name)"
      case nil: nil
      }
    return JSON.object([
      ("exit", .optional(exitText)), ("oom_kills", .uint(oomKills)), ("own_limit_ooms", .uint(ownLimitOOMs)),
      ("oomd_kills", .uint(oomdKills)),
      ("unit_result", .optional(unitResult)), ("adopted", .bool(adopted)),
      ("memory_current", .optional(memoryCurrent)), ("memory_peak", .optional(memoryPeak)),
      ("memory_max", .optional(memoryMax)), ("probe_error", .optional(probeError)),
      ("cut_connections", .optional(cutConnections.map { UInt64(clamping: $0) })),
      // Filled in a moment later: PlacementStore.addLog.
      ("log", .array([])),
    ]).text
  }
}
