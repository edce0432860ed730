public import Time

/// What was seen when a generation ended, and the rule that turns it into one reason.
public struct EndEvidence: Sendable, Equatable {
  /// From waitid, where podd was the parent.
  public enum Exit: Sendable, Equatable {
    case exited(Int32)
    /// The signal's name without `SIG`.
    case signal(String)
  }

  public var exit: Exit?
  /// `memory.events` of the scope, `oom_kill`: how many of its processes the OOM killer took.
  public var oomKills: UInt64 = 0
  /// `memory.events.local`, `oom`: how often the scope's own limit left no other way (facts 7).
  public var ownLimitOOMs: UInt64 = 0
  /// How often systemd-oomd chose the scope: it kills all of it when pods.slice stalled because
  /// memory was short, or when the host's swap was full.
  public var oomdKills: UInt64 = 0
  /// `memory.events` of the scope, `high` and `max`: how often it had to give memory back at MemoryHigh=, and at
  /// MemoryMax=.
  public var memoryHighEvents: UInt64 = 0
  public var memoryMaxEvents: UInt64 = 0
  /// The finding about its leak, if it ended for that.
  public var leak: LeakDetector.Finding?
  /// How long it had stalled at its memory limit, if it ended for that.
  public var stalled: Microseconds?
  /// systemd's `Result` of the scope: `success`, `oom-kill`, `timeout` …; nil when systemd could not be asked.
  public var unitResult: String?
  /// Whether memory.events was gone, with the cgroup, before it could be read once more: then the counters above may
  /// lack the last kill, and systemd's word stands in for them.
  public var countersAreLost = false
  /// Whether, where they are lost, something in its slice was killed for memory lately, and whether a pod of it met its
  /// own limit; nil when that is not known either.
  public var killedInSlice: Bool?
  public var ownLimitInSlice: Bool?
  /// Whether this podd saw the generation start.
  public var adopted = false
  /// Bytes: what `memory.current` and `memory.peak` said last, and the limit in force.
  public var memoryCurrent: UInt64?
  public var memoryPeak: UInt64?
  public var memoryMax: UInt64?
  /// The error of the last probe, when it was not answered.
  public var probeError: String?
  /// Connections that were still open when the time to finish them was over.
  public var cutConnections: Int?

  public init() {}

  /// For the journal: the details that the reason alone does not give; nil when there are none.
  public var sentence: String? {
    var parts: [String] = []
    if oomKills > 0 {
      parts.append("\(oomKills) killed for memory, its own limit was met \(ownLimitOOMs) times")
      if let memoryPeak, let memoryMax {
        parts.append("\(memoryPeak >> 20) MiB at its peak of \(memoryMax >> 20) MiB")
      }
    }
    if oomdKills > 0 {
      parts.append("systemd-oomd chose it")
      if let memoryCurrent { parts.append("\(memoryCurrent >> 20) MiB in use") }
    }
    if let leak, !leak.reason.isEmpty { parts.append(leak.reason) }
    if let stalled { parts.append("it had stalled at its memory limit for \(stalled / .seconds(1)) s") }
    if let probeError { parts.append("probe: \(probeError)") }
    if let cutConnections { parts.append("\(cutConnections) connections cut") }
    if let unitResult, unitResult != "success" { parts.append("systemd: \(unitResult)") }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }

  /// The same as journal fields.
  public var journalFields: [(JournalField, String)] {
    let counters: [(JournalField, UInt64?)] = [
      (.oomKills, oomKills), (.ownLimitOOMs, ownLimitOOMs), (.oomdKills, oomdKills),
      (.memoryCurrent, memoryCurrent), (.memoryPeak, memoryPeak), (.memoryMax, memoryMax),
      (.memoryHighEvents, memoryHighEvents), (.memoryMaxEvents, memoryMaxEvents), (.stall, stalled?.count),
    ]
    let words: [(JournalField, String?)] = [(.probeError, probeError), (.unitResult, unitResult)]
    return counters.compactMap { name, value in value.map { (name, String($0)) } }
      + words.compactMap { name, value in value.map { (name, $0) } }
      + (leak?.journalFields ?? [])
  }

  /// Whether the slice's counters are worth reading: podd was not the parent, or the scope's counters went with its
  /// cgroup, as they do whenever systemd is faster.
  public var needsSlice: Bool {
    oomKills > 0 || (exit.map { $0 == .signal("KILL") && countersAreLost } ?? true)
  }

  /// Whether systemd is worth asking for its `Result`.
  ///
  /// - Parameter sliceHasKilled: whether something in its slice was killed for memory lately; nil: not known.
  public func needsUnitResult(sliceHasKilled: Bool?) -> Bool {
    needsSlice && (oomKills > 0 || exit == nil || sliceHasKilled ?? true)
  }

  /// The typed reason.
  public var reason: EndReason {
    if oomdKills > 0 { return .oomd }
    // Where systemd cannot be asked either, what the slice counted is all there is to go by.
    let isByTheSlice =
      countersAreLost && unitResult == nil && exit == .signal("KILL") && killedInSlice == true
    if oomKills > 0 || unitResult == "oom-kill" || isByTheSlice {
      if ownLimitOOMs > 0 { return .oomOwnLimit }
      // systemd's word alone does not say whose limit it was. The slice outlives the scope, and counts for it too;
      // where that is not known, the own limit is the common case.
      return oomKills > 0 || ownLimitInSlice == false ? .oomBystander : .oomOwnLimit
    }
    return exit.map { EndReason($0) } ?? .unknownAdopted
  }

  /// The reason of a generation that podd had asked systemd to stop for `cause` (nil: it had not). When nobody saw how
  /// the generation ended, the cause is the reason.
  public func reason(stoppedFor cause: EndReason?) -> EndReason {
    reason == .unknownAdopted ? cause ?? reason : reason
  }
}

extension EndReason {
  /// The reason for a process that ended by itself.
  public init(_ exit: EndEvidence.Exit) {
    switch exit {
    case .exited(let status): self = .exited(status)
    case .signal(let name): self = .signal(name)
    }
  }
}
