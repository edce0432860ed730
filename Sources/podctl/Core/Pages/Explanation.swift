internal import PodAPI
internal import Time

/// The evidence behind a pod's state, from the reply to `GetPod`.
struct Explanation {
  struct Transition {
    let at: WallTime?
    let from: String?
    let to: String?
    let event: String?
    let reason: String?
  }

  struct Generation {
    let unit: String?
    let started: WallTime?
    let ready: WallTime?
    let ended: WallTime?
    let reason: String?
    let evidence: RecordedEvidence?
  }

  let row: PodRow
  let properties: Properties
  /// Since podd started, oldest first.
  let transitions: [Transition]
  /// Newest first.
  let generations: [Generation]
  /// Nil if podd has no history of the pod.
  let recentMemory: RecentMemory?

  /// Nil if the properties lack something that every pod has, such as its name or state.
  init?(_ properties: Properties, recentMemory: RecentMemory? = nil) {
    guard let row = PodRow(properties) else { return nil }
    self.row = row
    self.properties = properties
    self.recentMemory = recentMemory
    transitions = properties.dictionaries("Transitions").map {
      Transition(
        at: $0.time("Timestamp"), from: $0.string("From"), to: $0.string("To"), event: $0.string("Event"),
        reason: $0.string("Reason"))
    }
    generations = properties.dictionaries("Generations").map {
      Generation(
        unit: $0.string("Unit"), started: $0.time("StartTimestamp"), ready: $0.time("ReadyTimestamp"),
        ended: $0.time("EndTimestamp"), reason: $0.string("Reason"),
        evidence: $0.string("Evidence").flatMap { RecordedEvidence($0) })
    }
  }
}

// MARK: For scripts

extension Explanation {
  /// The object of `podctl explain --json`.
  var json: JSON {
    .object([
      ("pod", .string(row.pod)), ("state", .string(row.state)), ("since", Self.time(row.since)),
      ("why", .optional(properties.string("StateReason"))),
      (
        "probe",
        .object([
          ("failures", .optional(properties.uint("ProbeFailures"))),
          ("failures_max", .optional(properties.uint("ProbeFailuresMax"))),
          ("last_error", .optional(properties.string("LastProbeError"))),
          ("last_at", Self.time(properties.time("LastProbeTimestamp"))),
        ])
      ), ("memory_current", .optional(row.memoryCurrent)), ("memory_max", .optional(row.memoryMax)),
      ("leak", LeakLine.json(properties)),
      ("memory_trend", recentMemory?.json ?? .null),
      ("connections", .optional(properties.uint("Connections"))),
      (
        "shortage",
        properties.string("ShortageAct").map { act in
          .object([
            ("act", .string(act)), ("at", Self.time(properties.time("ShortageActTimestamp"))),
          ])
        } ?? .null
      ),
      ("transitions", .array(transitions.map(\.json))), ("generations", .array(generations.map(\.json))),
      (
        "next",
        properties.string("NextEvent").map { event in
          .object([
            ("event", .string(event)), ("at", Self.time(properties.time("NextEventTimestamp"))),
          ])
        } ?? .null
      ),
    ])
  }

  fileprivate static func time(_ time: WallTime?) -> JSON {
    time.map { .string(Timestamp.rfc3339($0)) } ?? .null
  }
}

extension Explanation.Transition {
  fileprivate var json: JSON {
    .object([
      ("at", Explanation.time(at)), ("from", .optional(from)), ("to", .optional(to)),
      ("event", .optional(event)), ("reason", .optional(reason)),
    ])
  }
}

extension Explanation.Generation {
  fileprivate var json: JSON {
    .object([
      ("unit", .optional(unit)), ("started", Explanation.time(started)), ("ready", Explanation.time(ready)),
      ("ended", Explanation.time(ended)), ("reason", .optional(reason)),
      ("evidence", evidence?.json ?? .null),
    ])
  }
}

// MARK: For people

extension Explanation {
  func page(_ style: Style) -> String {
    var page = Page(style)
    page.title(row.state, "\(row.pod) - \(row.tier) pod")
    page.field("State", style.paint(row.state, Colour(state: row.state)) + page.since(row.since))
    page.field("Why", properties.string("StateReason"))
    page.field("Next", next(style))
    page.field("Probe", probe(style))
    page.field("Memory", StatusPage.memory(row, properties))
    for line in recentMemory?.lines(style) ?? [] { page.field(line.label, line.text) }
    page.field("Pressure", properties.string("MemoryPressure").flatMap(StatusPage.pressure))
    page.field("Leak", LeakLine.text(properties, style))
    page.field("Connections", properties.uint("Connections").map { String($0) })
    page.field("Shortage", shortage(style))
    page.section(transitionLines(style), headed: "Transitions since podd started:")
    page.section(generations.flatMap { $0.lines(style) }, headed: "Generations, the last one first:")
    return page.text
  }

  private func shortage(_ style: Style) -> String? {
    properties.string("ShortageAct").map { act in
      guard let time = properties.time("ShortageActTimestamp") else { return act }
      return "\(act); \(Units.relative(time, now: style.now))"
    }
  }

  private func next(_ style: Style) -> String? {
    properties.string("NextEvent").map { event in
      guard let time = properties.time("NextEventTimestamp") else { return event }
      return "\(event); \(Units.relative(time, now: style.now)), \(Units.absolute(time))"
    }
  }

  private func probe(_ style: Style) -> String? {
    // Without a probe there is no limit on its failures.
    guard let most = properties.uint("ProbeFailuresMax"), most > 0 else { return nil }
    let failures = properties.uint("ProbeFailures") ?? 0
    let last = properties.time("LastProbeTimestamp").map {
      ", last asked \(Units.relative($0, now: style.now))"
    }
    let error = properties.string("LastProbeError").map { ": \(printable($0))" }
    let standing =
      failures == 0 ? "no failure, \(most) in a row allowed" : "\(failures) of \(most) failures in a row"
    return standing + (last ?? "") + (error ?? "")
  }

  private func transitionLines(_ style: Style) -> [String] {
    guard !transitions.isEmpty else { return [] }
    var table = Table([.left("AT"), .left("FROM"), .left("TO"), .left("EVENT"), .left("REASON")])
    table.rows = transitions.map { step in
      [
        Table.Cell(step.at.map { Units.absolute($0) } ?? "-"), Table.Cell(step.from ?? "-"),
        Table.Cell(step.to ?? "-", step.to.flatMap { Colour(state: $0) }), Table.Cell(step.event ?? "-"),
        Table.Cell(step.reason ?? "-"),
      ]
    }
    return table.render(style).split(separator: "\n").map(String.init)
  }
}

extension Explanation.Generation {
  /// One line with the reason and the times, then the evidence, then the last log lines.
  fileprivate func lines(_ style: Style) -> [String] {
    var life: [String] = []
    if let started {
      life.append("started \(Units.absolute(started))")
      if let ready { life.append("ready after \(Units.duration(ready - started))") }
      if let ended {
        life.append(
          "ended \(Units.relative(ended, now: style.now)) after \(Units.duration(ended - started))"
        )
      }
    }
    let why = ended == nil ? (reason ?? "goes on") : (reason ?? "unknown")
    let colour: Colour? = ended == nil ? nil : .bold
    let title = "\(unit ?? "-"): \(style.paint(why, colour))"
    let seen = evidence?.phrases(excluding: reason) ?? []
    return [life.isEmpty ? title : "\(title), \(life.joined(separator: ", "))"]
      + (seen.isEmpty ? [] : ["    " + seen.joined(separator: ", ")])
      + (evidence?.log ?? []).map { "    | \($0)" }
  }
}
