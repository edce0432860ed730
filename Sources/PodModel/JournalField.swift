/// The fields of podd's journal entries (podctl-journal(7)).
public enum JournalField: String, Sendable, CaseIterable {
  case message = "MESSAGE"

  case pod = "POD"
  case tier = "POD_TIER"
  case state = "POD_STATE"
  case generation = "POD_GENERATION"
  case unit = "POD_UNIT"
  case user = "POD_USER"
  case reason = "POD_REASON"
  case workload = "POD_WORKLOAD"
  case workloadVersion = "POD_WORKLOAD_VERSION"

  // systemd's own names (log_syntax() of systemd).
  case configFile = "CONFIG_FILE"
  case configLine = "CONFIG_LINE"
  case configKey = "CONFIG_KEY"

  case check = "POD_CHECK"
  case connections = "POD_CONNECTIONS"
  case gap = "POD_GAP_USEC"
  case duration = "POD_USEC"

  case action = "POD_ACTION"
  case caller = "POD_CALLER"
  case callerUID = "POD_CALLER_UID"
  case subject = "POD_SUBJECT"

  case oomKills = "POD_OOM_KILLS"
  case oomdKills = "POD_OOMD_KILLS"
  case ownLimitOOMs = "POD_OWN_LIMIT_OOMS"
  case probeError = "POD_PROBE_ERROR"
  case unitResult = "POD_UNIT_RESULT"

  case memoryCurrent = "POD_MEMORY_CURRENT"
  case memoryPeak = "POD_MEMORY_PEAK"
  case memoryMax = "POD_MEMORY_MAX"
  case memoryLimit = "POD_MEMORY_LIMIT"
  case memoryHighEvents = "POD_MEMORY_HIGH_EVENTS"
  case memoryMaxEvents = "POD_MEMORY_MAX_EVENTS"
  case stall = "POD_STALL_USEC"
  case stallPercent = "POD_STALL_PERCENT"

  case leakSlope = "POD_LEAK_SLOPE"
  case leakSlopeLow = "POD_LEAK_SLOPE_LOW"
  case leakSlopeHigh = "POD_LEAK_SLOPE_HIGH"
  case leakMemory = "POD_LEAK_MEMORY"
  case leakLimit = "POD_LEAK_LIMIT"
  case leakTimeToLimit = "POD_LEAK_TIME_TO_LIMIT_USEC"

  case act = "POD_ACT"
  case acts = "POD_ACTS"
  case order = "POD_ORDER"
  case idle = "POD_IDLE_USEC"
  case memoryFreed = "POD_MEMORY_FREED"
  case memoryAvailable = "POD_MEMORY_AVAILABLE"
  case memoryTotal = "POD_MEMORY_TOTAL"
  case pressurePercent = "POD_PRESSURE_PERCENT"
}

extension [(JournalField, String)] {
  /// With the names that the journal shows.
  public var named: [(String, String)] { map { ($0.0.rawValue, $0.1) } }
}
