internal import PodAPI
internal import Time

/// The pages of `status`.
enum StatusPage {
  static func pod(
    _ row: PodRow, _ properties: Properties, recentMemory: RecentMemory? = nil, log: [String], _ style: Style
  ) -> String {
    var page = Page(style)
    page.title(row.state, "\(row.pod) - \(row.tier) pod")
    page.field("State", style.paint(row.state, Colour(state: row.state)) + page.since(row.since))
    page.field("Why", properties.string("StateReason"))
    page.field("Unit", row.unit.map { "\($0) (generation \(row.generation))" })
    page.field("Workload", properties.string("Workload"))
    page.field("Main PID", row.mainPID.map { String($0) })
    page.field("Memory", memory(row, properties))
    for line in recentMemory?.lines(style) ?? [] { page.field(line.label, line.text) }
    page.field("Pressure", properties.string("MemoryPressure").flatMap(pressure))
    page.field("Leak", LeakLine.text(properties, style))
    page.field(
      "Tasks",
      Page.limited(
        properties.uint("TasksCurrent").map { String($0) },
        [("limit", properties.uint("TasksMax").map { String($0) })]))
    page.field(
      "CPU",
      Page.limited(
        properties.uint("CPUUsageNSec").map { Units.duration(Microseconds($0 / 1000)) },
        [("quota", properties.span("CPUQuotaPerSecUSec").map { Units.percent(perSec: $0) })]))
    page.field("Users", users(row, properties))
    for error in properties.strings("UserErrors") { page.field("Trouble", style.paint(error, .red)) }
    page.field(
      "Requests",
      properties.uint("Requests").flatMap { $0 > 0 ? "\($0) through the front door since podd started" : nil }
    )
    page.field("Address", "\(row.address):\(row.port) (answers \(row.frontAddress))")
    page.field("CGroup", properties.string("ControlGroup"))
    page.field("Restarts", String(row.restarts))
    page.field("Last exit", row.lastExitReason.map { $0 + lastEnd(properties, style) })
    page.section(log)
    return page.text
  }

  static func user(_ row: UserRow, _ properties: Properties, log: [String], _ style: Style) -> String {
    var page = Page(style)
    page.title(row.state ?? "", "\(row.user) - \(row.tier) user")
    page.field("Status", style.paint(row.status, row.status == "active" ? nil : .yellow))
    page.field(
      "Pod", row.pod.map { pod in row.state.map { "\(pod) (\(style.paint($0, Colour(state: $0))))" } ?? pod })
    page.field("Unit", properties.string("Unit"))
    page.field(
      "Data",
      Page.limited(
        row.dataBytes.map { Units.size($0) },
        [("limit", properties.uint("DataMax").map { Units.size($0) })]))
    page.field("Directory", properties.string("DataDirectory"))
    page.field("Trouble", properties.string("DataError").map { style.paint($0, .red) })
    if let address = properties.string("Address"), let port = properties.uint("Port") {
      let front = properties.string("FrontAddress").map { " (answers \($0))" } ?? ""
      page.field("Address", "\(address):\(port)\(front)")
    }
    page.field("Last used", row.lastUsed.map { Units.relative($0, now: style.now) })
    page.field("Created", properties.time("CreatedTimestamp").map { Units.absolute($0) })
    page.section(log)
    return page.text
  }

  /// An overview of the host.
  static func host(
    name: String, _ properties: Properties, pods: [PodRow], users: Int, _ style: Style
  ) -> String {
    var page = Page(style)
    let failed = pods.contains { $0.state == "crash-loop" }
    let waiting = pods.contains { $0.state == "backoff" }
    let overall = failed ? "crash-loop" : waiting ? "backoff" : "ready"
    page.title(overall, name)
    page.field("State", style.paint(failed || waiting ? "degraded" : "running", Colour(state: overall)))
    let states = HostStatus.podsByState(pods).map { state, count in
      "\(count) \(style.paint(state, Colour(state: state)))"
    }
    page.field("Pods", states.isEmpty ? "0" : "\(pods.count) (\(states.joined(separator: ", ")))")
    page.field("Users", String(users))
    let memory = pods.compactMap(\.memoryCurrent)
    page.field("Memory", memory.isEmpty ? nil : "\(Units.size(memory.reduce(0, +))) in all pods")
    page.field(
      "podd",
      properties.string("Version").map { "version \($0)" + page.since(properties.time("StartTimestamp")) })
    let mistakes = properties.settingsMistakes.count
    let text = "\(mistakes) mistake\(mistakes == 1 ? "" : "s") in settings files; see podctl doctor"
    page.field("Settings", mistakes == 0 ? nil : style.paint(text, .yellow))
    for fault in properties.hostFaults {
      page.field(
        "Host", style.paint("\(fault.subject): \(printable(fault.what)). \(printable(fault.fix)).", .yellow))
    }
    page.section(troubled(pods, style))
    return page.text
  }

  /// The pods in crash-loop or backoff, at most a screen of them.
  private static func troubled(_ pods: [PodRow], _ style: Style) -> [String] {
    let troubled =
      pods.filter { $0.state == "crash-loop" } + pods.filter { $0.state == "backoff" }
    let lines = troubled.prefix(10).map { row in
      let why = row.lastExitReason.map { " after \($0)" } ?? ""
      return
        "\(style.dot(state: row.state)) \(row.pod) is in \(row.state)\(why); see podctl explain \(row.pod)"
    }
    return troubled.count > 10
      ? lines + ["  and \(troubled.count - 10) more; podctl pods lists them"] : lines
  }

  /// The pod's current memory, with its limits and its peak.
  static func memory(_ row: PodRow, _ properties: Properties) -> String? {
    Page.limited(
      row.memoryCurrent.map { Units.size($0) },
      [
        ("max", row.memoryMax.map { Units.size($0) }),
        ("high", properties.uint("MemoryHigh").map { Units.size($0) }),
        ("peak", properties.uint("MemoryPeak").map { Units.size($0) }),
      ])
  }

  /// `some avg10=0.25 avg60=1.00 avg300=0.00 total=7` as `0.25% of 10s, 1.00% of 60s`.
  static func pressure(_ line: String) -> String? {
    let parts = line.split(separator: " ").compactMap { word -> String? in
      guard word.hasPrefix("avg"), let equals = word.firstIndex(of: "="), !word.hasPrefix("avg300") else {
        return nil
      }
      return "\(word[word.index(after: equals)...])% of \(word[..<equals].dropFirst(3))s"
    }
    return parts.isEmpty ? nil : parts.joined(separator: ", ")
  }

  /// The evidence of the last generation's end, and how long ago it was.
  private static func lastEnd(_ properties: Properties, _ style: Style) -> String {
    let ended = properties.dictionaries("Generations").filter { $0.time("EndTimestamp") != nil }
    let latest = ended.max { ($0.time("EndTimestamp") ?? .epoch) < ($1.time("EndTimestamp") ?? .epoch) }
    guard let latest, let time = latest.time("EndTimestamp") else { return "" }
    let seen =
      latest.string("Evidence").flatMap { RecordedEvidence($0) }?.phrases(excluding: latest.string("Reason"))
      ?? []
    let evidence = seen.isEmpty ? "" : " (\(seen.joined(separator: ", ")))"
    return "\(evidence); \(Units.relative(time, now: style.now))"
  }

  private static func users(_ row: PodRow, _ properties: Properties) -> String {
    let names = properties.strings("UserNames")
    guard !names.isEmpty else { return String(row.users) }
    let shown = names.prefix(5).joined(separator: ", ")
    return "\(row.users) (\(shown)\(names.count > 5 ? ", …" : ""))"
  }
}
