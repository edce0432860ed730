internal import PodAPI
internal import PodModel
internal import Time

/// The content of the screen of `podctl top`.
struct TopView {
  var rows: [TopRow] = []
  var order = TopOrder.memory
  var reverse = false
  /// The time between two updates.
  var delay: Microseconds = .seconds(1)
  var host = ""
  /// The time of the last update.
  var readAt = WallTime.epoch
  /// Why the last update failed.
  var trouble: String?
  /// The first row that is shown.
  private(set) var offset = 0

  /// From one second, because podd samples no pod more often, to one minute.
  static let delays: ClosedRange<Microseconds> = .seconds(1) ... .minutes(1)
  /// The title, a line for an error or the keys, an empty line, and the table's header.
  private static let headLines = 4

  /// Handles a key; returns false for keys that concern the terminal or the next update.
  mutating func handle(_ key: TopKey, lines: Int) -> Bool {
    let page = max(1, lines - Self.headLines)
    switch key {
    case .order(let order):
      reverse = order == self.order && reverse
      self.order = order
      offset = 0
    case .reverse: reverse.toggle()
    case .slower: delay = min(delay + .seconds(1), Self.delays.upperBound)
    case .faster: delay = max(delay - .seconds(1), Self.delays.lowerBound)
    case .up: offset -= 1
    case .down: offset += 1
    case .pageUp: offset -= page
    case .pageDown: offset += page
    case .home: offset = 0
    case .end: offset = rows.count
    case .quit, .suspend, .refresh: return false
    }
    offset = max(0, min(offset, rows.count - page))
    return true
  }

  /// A screen: at most `style.lines` lines of at most `style.columns` columns.
  func screen(_ style: Style) -> [String] {
    let page = max(1, style.lines - Self.headLines)
    let first = max(0, min(offset, rows.count - page))
    let range = first..<min(first + page, rows.count)
    let shown = rows.count > page ? ", \(range.lowerBound + 1)-\(range.upperBound) shown" : ""
    func line(_ text: String) -> String { style.columns.map { String(text.prefix($0)) } ?? text }
    let head = [line(title() + shown), style.paint(line(secondLine()), trouble == nil ? nil : .red), ""]
    return Array((head + table(style, range)).prefix(style.lines))
  }

  /// All rows, for a file or a script.
  func page(_ style: Style) -> String {
    let lines = table(style, rows.indices)
    return ((style.legend ? [title()] + lines : Array(lines.dropFirst())).map { $0 + "\n" }).joined()
  }

  private func title() -> String {
    var states: [String: Int] = [:]
    for row in rows { states[row.usage.state, default: 0] += 1 }
    let counted = states.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.value) \($0.key)" }
    let users = rows.reduce(0) { $0 + UInt64($1.usage.users) }
    let memory = rows.compactMap(\.usage.memoryCurrent).reduce(0, +)
    let cpu = rows.compactMap(\.cpu).reduce(0, +)
    let rates = rows.compactMap { $0.requests?.rate }
    return "\(host.isEmpty ? "" : "\(printable(host)), ")\(Units.timeOfDay(readAt)): "
      + "\(rows.count) pod\(rows.count == 1 ? "" : "s")"
      + (counted.isEmpty ? "" : " (\(counted.map(printable).joined(separator: ", ")))")
      + ", \(users) user\(users == 1 ? "" : "s"), memory \(Units.size(memory)), CPU \(Units.percent(cpu))"
      + (rates.isEmpty ? "" : ", \(Units.rate(rates.reduce(0, +))) requests/s")
  }

  private func secondLine() -> String {
    if let trouble { return printable(trouble) }
    return "By \(order.rawValue)\(reverse ? ", reversed" : ""), every \(Units.duration(delay)). "
      + "Keys: m c p r u n\(hasRequests ? " s l" : "") sort, R reverses, + - delay, q quits"
  }

  /// By importance: a narrow screen loses the last ones first.
  private enum Column: CaseIterable {
    case pod, memory, percent, cpu, requests, latency, pressure, state, users, limit, tier, restarts,
      generation, bar
  }

  /// The order on the screen, from left to right.
  private static let layout: [Column] = [
    .pod, .tier, .state, .users, .memory, .limit, .percent, .bar, .pressure, .cpu, .requests, .latency,
    .restarts, .generation,
  ]

  /// The header and a line for each row of `range`. A column is as wide as the widest cell of all rows, so that
  /// scrolling does not move the columns. Columns that do not fit are left out.
  private func table(_ style: Style, _ range: Range<Int>) -> [String] {
    let sorted = order.sorted(rows, reverse: reverse)
    var shown = Column.allCases
    if !style.isTerminal { shown.removeAll { $0 == .bar } }
    if !hasRequests { shown.removeAll { $0 == .requests || $0 == .latency } }
    var widths: [Column: Int] = [:]
    for column in shown {
      widths[column] = sorted.reduce(head(column).title.utf8.count) {
        max($0, cell(column, $1).text.unicodeScalars.count)
      }
    }
    if let available = style.columns {
      while shown.count > 2, shown.reduce(-1, { $0 + 1 + (widths[$1] ?? 0) }) > available {
        shown.removeLast()
      }
    }
    let columns = Self.layout.filter { shown.contains($0) }
    func line(_ cells: [Table.Cell]) -> String {
      var text = ""
      for (column, cell) in zip(columns, cells) {
        let padding = String(
          repeating: " ", count: max(0, (widths[column] ?? 0) - cell.text.unicodeScalars.count))
        let isLast = column == columns.last
        text += text.isEmpty ? "" : " "
        switch head(column).alignment {
        case .right: text += padding + style.paint(cell.text, cell.colour)
        case .left: text += style.paint(cell.text, cell.colour) + (isLast ? "" : padding)
        }
      }
      return text
    }
    return [style.paint(line(columns.map { Table.Cell(head($0).title) }), .header)]
      + sorted[range].map { row in line(columns.map { cell($0, row) }) }
  }

  private func head(_ column: Column) -> Table.Column {
    switch column {
    case .pod: .left("POD")
    case .tier: .left("TIER")
    case .state: .left("STATE")
    case .users: .right("USERS")
    case .memory: .right("MEMORY")
    case .limit: .right("MAX")
    case .percent: .right("%MAX")
    case .bar: .left("")
    case .pressure: .right("PRESSURE")
    case .cpu: .right("%CPU")
    case .requests: .right("REQ/S")
    case .latency: .right("P95")
    case .restarts: .right("RESTARTS")
    case .generation: .right("GEN")
    }
  }

  private func cell(_ column: Column, _ row: TopRow) -> Table.Cell {
    let usage = row.usage
    // At its limit the pod stalls or is killed (facts 21).
    let isHigh = usage.memoryCurrent.flatMap { current in row.limit.map { current >= $0 } } ?? false
    return switch column {
    case .pod: Table.Cell(printable(usage.pod))
    case .tier: Table.Cell(printable(usage.tier))
    case .state: Table.Cell(printable(usage.state), Colour(state: usage.state))
    case .users: Table.Cell(String(usage.users))
    case .memory: Table.Cell(Units.size(usage.memoryCurrent), isHigh ? .red : nil)
    case .limit: Table.Cell(Units.size(usage.memoryMax))
    case .percent: Table.Cell(row.memoryPercent.map { Units.percent($0) } ?? "-", isHigh ? .red : nil)
    case .bar: Table.Cell(row.memoryPercent.map { Self.bar($0) } ?? "")
    case .pressure:
      Table.Cell(
        usage.pressure.map { Units.percent(Double($0) / 100) } ?? "-",
        usage.pressure ?? 0 >= 1000 ? .yellow : nil)
    case .cpu: Table.Cell(row.cpu.map { Units.percent($0) } ?? "-")
    case .requests: Table.Cell(row.requests?.rate.map { Units.rate($0) } ?? "-")
    case .latency: Table.Cell(Self.latency(row.requests?.latency))
    case .restarts: Table.Cell(String(usage.restarts))
    case .generation: Table.Cell(String(usage.generation))
    }
  }

  /// Whether a front door has reported requests.
  private var hasRequests: Bool { rows.contains { $0.requests != nil } }

  /// A front door measures milliseconds.
  private static func latency(_ latency: Microseconds?) -> String {
    guard let latency else { return "-" }
    if latency == .infinity { return ">" + Units.duration(RequestCounts.bounds.last ?? .zero) }
    return Units.duration(max(latency, .milliseconds(1)))
  }

  /// `[####......]`
  static func bar(_ percent: Double) -> String {
    let full = max(0, min(10, Int(percent / 10)))
    return "[" + String(repeating: "#", count: full) + String(repeating: ".", count: 10 - full) + "]"
  }
}
