internal import PodAPI
internal import PodModel
internal import Time

/// The table and the trace of `podctl history` (podctl-history(1)).
enum HistoryTable {
  /// How many minutes one line may stand for; the smallest with which the table has at most `lines` lines is used,
  /// so that it fills a screen or two.
  private static let steps: [Int64] = [1, 5, 15, 30, 60, 180, 360, 720, 1440]
  private static let lines: Int64 = 72

  /// A trace for podctl-leak-replay(1): one row per minute, with the seconds since the first row.
  static func trace(_ minutes: [MemoryMinute]) -> [UInt8] {
    var bytes = Array("time_s,anon,swap,file,current,active_users\n".utf8)
    bytes.reserveCapacity(64 * (minutes.count + 1))
    guard let first = minutes.first?.minute else { return bytes }
    for minute in minutes {
      let seconds = (minute.minute - first) * 60
      bytes += "\(seconds),\(minute.anon),\(minute.swap),\(minute.file),\(minute.current),".utf8
      bytes += "\(minute.activeUsers)\n".utf8
    }
    return bytes
  }

  /// The minutes of the last generation: its leak detector has seen these, and there is no restart in between.
  static func lastGeneration(_ minutes: [MemoryMinute]) -> [MemoryMinute] {
    guard let last = minutes.map(\.generation).max() else { return [] }
    return minutes.filter { $0.generation == last }
  }

  static func page(_ minutes: [MemoryMinute], _ style: Style) -> String {
    guard let first = minutes.first, let last = minutes.last else {
      return style.isTerminal ? "No minutes are on record for this time.\n" : ""
    }
    let step = step(of: last.minute - first.minute + 1)
    var table = Table([
      .left("TIME"), .right("GEN"), .right("HELD"), .right("SWAP"), .right("FILE"), .right("CURRENT"),
      .right("PEAK"), .right("USERS"), .right("PRESSURE"), .right("%CPU"),
    ])
    table.rows = grouped(minutes, step: step).map { group in
      // Percentages are of the recorded time: a pod that was stopped in between used nothing then.
      let length = Microseconds.minutes(UInt64(group.count))
      let line = group.minute
      return [
        Table.Cell(Units.local(line.time, "%Y-%m-%d %H:%M")), Table.Cell(String(line.generation)),
        Table.Cell(Units.size(line.held)), Table.Cell(Units.size(line.swap)),
        Table.Cell(Units.size(line.file)),
        Table.Cell(Units.size(line.current)), Table.Cell(Units.size(line.currentMax)),
        Table.Cell(String(line.activeUsers)),
        Table.Cell(Units.percent(line.stalledSome.share(of: length) * 100)),
        Table.Cell(Units.percent(line.cpu.share(of: length) * 100)),
      ]
    }
    guard style.isTerminal && style.legend else { return table.render(style) }
    let each = step == 1 ? "a minute" : Units.duration(.minutes(UInt64(step)))
    let word = minutes.count == 1 ? "minute" : "minutes"
    return table.render(style) + "\n\(minutes.count) \(word), \(each) a line.\n"
  }

  static func step(of minutes: Int64) -> Int64 {
    steps.first { minutes <= $0 * lines } ?? 1440
  }

  /// Merges the minutes of one generation within each step: the least unreclaimable memory, the sums of CPU and
  /// stall times.
  static func grouped(_ minutes: [MemoryMinute], step: Int64) -> [(minute: MemoryMinute, count: Int)] {
    minutes.reduce(into: []) { groups, minute in
      if let last = groups.last, last.minute.generation == minute.generation,
        last.minute.minute / step == minute.minute / step
      {
        groups[groups.count - 1].minute.add(minute)
        groups[groups.count - 1].count += 1
      } else {
        groups.append((minute, 1))
      }
    }
  }
}
