internal import PodAPI
internal import PodModel

/// The lists of `pods`, `users` and `tiers`.
enum Listing: String {
  case pods, users, tiers

  /// Gets the list from podd and prints it.
  func show(_ context: Context) throws(CallError) {
    let client = try context.client()
    switch self {
    case .pods:
      let rows = try client.listPods()
      context.present(json: .array(rows.map(\.json)), list: true) { Self.pods(rows, $0) }
    case .users:
      let rows = try client.listUsersWithLastUse()
      context.present(json: .array(rows.map(\.json)), list: true) { Self.users(rows, $0) }
    case .tiers:
      let rows = try client.listTiers()
      let mistakes = try client.status().settingsMistakes
      context.present(
        json: .array(rows.map { $0.json(mistakes: $0.mistakes(among: mistakes)) }), list: true
      ) { Self.tiers(rows, mistakes: mistakes, $0) }
    }
  }

  /// Parses a list with only the most common options, as scripts use it often. This saves building ArgumentParser's
  /// parser, which takes longer than podd's reply (2 of 4.7 ms, measured). Nil if ArgumentParser is needed.
  static func plain(_ arguments: [String]) -> (list: Listing, context: Context)? {
    guard let list = arguments.first.flatMap({ Listing(rawValue: $0) }) else { return nil }
    var context = Context()
    for argument in arguments.dropFirst() {
      switch argument {
      case "--json": context.json = true
      case "--no-pager": context.noPager = true
      case "--no-legend": context.noLegend = true
      default: return nil
      }
    }
    return (list, context)
  }

  static func pods(_ rows: [PodRow], _ style: Style) -> String {
    var table = Table([
      .left("POD"), .left("TIER"), .left("STATE"), .right("USERS"), .right("MEMORY"),
      .right("MAX"), .right("RESTARTS"), .left("ADDRESS"), .left("UNIT"), .left("LAST EXIT"),
      .left("SINCE"),
    ])
    table.rows.reserveCapacity(rows.count)
    for row in rows {
      table.dots.append(style.dot(state: row.state))
      table.rows.append([
        Table.Cell(row.pod), Table.Cell(row.tier), Table.Cell(row.state, Colour(state: row.state)),
        Table.Cell(String(row.users)), Table.Cell(Units.size(row.memoryCurrent)),
        Table.Cell(Units.size(row.memoryMax)), Table.Cell(String(row.restarts)),
        Table.Cell("\(row.address):\(row.port)"), Table.Cell(row.unit ?? "-"),
        Table.Cell(row.lastExitReason ?? "-"),
        Table.Cell(row.since.map { Units.relative($0, now: style.now) } ?? "-"),
      ])
    }
    return table.render(style) + footer(rows.count, "pod", style)
  }

  static func users(_ rows: [UserRow], _ style: Style) -> String {
    var table = Table([
      .left("USER"), .left("TIER"), .left("POD"), .left("STATE"), .right("DATA"),
      .left("STATUS"), .left("LAST USED"),
    ])
    table.rows.reserveCapacity(rows.count)
    for row in rows {
      let state = row.state ?? ""
      table.dots.append(style.dot(state: state))
      table.rows.append([
        Table.Cell(row.user), Table.Cell(row.tier), Table.Cell(row.pod ?? "-"),
        Table.Cell(row.state ?? "-", Colour(state: state)), Table.Cell(Units.size(row.dataBytes)),
        Table.Cell(row.status, row.status == "active" ? nil : .yellow),
        Table.Cell(row.lastUsed.map { Units.relative($0, now: style.now) } ?? "-"),
      ])
    }
    return table.render(style) + footer(rows.count, "user", style)
  }

  /// The tiers, each with the number of mistakes in its files and its workload's; below them all mistakes, unless the
  /// legend is left out.
  static func tiers(_ rows: [TierRow], mistakes: [SettingsMistake], _ style: Style) -> String {
    var table = Table([
      .left("TIER"), .right("USERS/POD"), .right("DATA"), .right("MEMORYMAX"),
      .right("MEMORYHIGH"), .right("CPU"), .right("TASKS"), .left("WORKLOAD"), .right("PODS"),
      .right("USERS"), .left("SOURCE"), .right("MISTAKES"),
    ])
    for row in rows {
      let count = row.mistakes(among: mistakes).count
      table.rows.append([
        Table.Cell(row.tier, count > 0 ? .red : nil), Table.Cell(row.isKnown ? String(row.usersPerPod) : "-"),
        Table.Cell(Units.size(row.dataMax)),
        Table.Cell(Units.size(row.memoryMax)), Table.Cell(Units.size(row.memoryHigh)),
        Table.Cell(Units.percent(perSec: row.cpuQuotaPerSec)),
        Table.Cell(row.tasksMax.map { String($0) } ?? "-"), Table.Cell(row.isKnown ? row.workload : "-"),
        Table.Cell(String(row.pods)), Table.Cell(String(row.users)), Table.Cell(row.source ?? "-"),
        Table.Cell(count > 0 ? String(count) : "-", .red),
      ])
    }
    return table.render(style) + list(mistakes, style) + footer(rows.count, "tier", style)
  }

  private static func list(_ mistakes: [SettingsMistake], _ style: Style) -> String {
    guard style.legend, !mistakes.isEmpty else { return "" }
    return "\n" + mistakes.map { printable($0.description) + "\n" }.joined()
  }

  private static func footer(_ count: Int, _ word: String, _ style: Style) -> String {
    guard style.isTerminal && style.legend else { return "" }
    return "\n\(count) \(word)\(count == 1 ? "" : "s") listed.\n"
  }
}
