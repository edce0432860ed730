import PodAPI
import PodModel
import Time

extension EndEvidence {
  /// What the store keeps with the generation.
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
      ("counters_lost", .bool(countersAreLost && (exit == nil || exit == .signal("KILL")))),
      ("killed_in_slice", killedInSlice.map { .bool($0) } ?? .null),
      ("own_limit_in_slice", ownLimitInSlice.map { .bool($0) } ?? .null),
      ("memory_current", .optional(memoryCurrent)), ("memory_peak", .optional(memoryPeak)),
      ("memory_max", .optional(memoryMax)), ("probe_error", .optional(probeError)),
      ("cut_connections", .optional(cutConnections.map { UInt64(clamping: $0) })),
      ("memory_high_events", .uint(memoryHighEvents)), ("memory_max_events", .uint(memoryMaxEvents)),
      ("stalled_seconds", stalled.map { .double($0.seconds) } ?? .null),
      ("leak", leak.map(\.json) ?? .null),
      // PlacementStore.addLog fills it in a moment later.
      ("log", .array([])),
    ]).text
  }
}

extension LeakDetector.Finding {
  /// Sizes in bytes, paces in bytes per second.
  var json: JSON {
    .object([
      ("slope", .double(slope.rounded())), ("slope_low", .double(slopeLow.rounded())),
      ("slope_high", .double(slopeHigh.rounded())),
      ("time_to_limit_seconds", timeToLimit.map { .double($0.seconds.rounded()) } ?? .null),
      ("memory", .uint(held)), ("limit", .optional(limit)), ("reason", .optional(reason)),
    ])
  }
}
