internal import Linux
internal import PodAPI
internal import PodModel
internal import Time

/// A pod's unreclaimable memory (anon and swap, which grow when a program leaks) in the last hour and the last day.
struct RecentMemory {
  /// One generation over some time.
  struct Span: Equatable {
    let length: Microseconds
    let from: UInt64
    let to: UInt64
    /// The least memory in each part of the time, oldest first; nil for a part without records.
    let curve: [UInt64?]

    /// Growth in bytes per hour: from the mean of the first quarter of the minutes to the mean of the last.
    let perHour: Double
  }

  let hour: Span?
  let day: Span?

  static let dayLength: Microseconds = .days(1)
  private static let hourLength: Microseconds = .hours(1)
  private static let parts = 24

  /// - Parameter minutes: of the last day, oldest first.
  init(_ minutes: [MemoryMinute], now: WallTime) {
    let own = HistoryTable.lastGeneration(minutes)
    hour = Self.span(own, now: now, Self.hourLength)
    // Records of an hour or less say the same about the day as about the hour.
    let longer = own.first.map { $0.time + Self.hourLength < now } ?? false
    day = longer ? Self.span(own, now: now, Self.dayLength) : nil
  }

  /// Nil if podd does not return a history: an older podd, or a history that cannot be read. The rest of the page is
  /// printed nevertheless.
  static func request(_ client: Client, _ pod: String) -> RecentMemory? {
    let now = Clock.wall
    guard let minutes = try? client.history(ofPod: pod, since: now - dayLength) else { return nil }
    return RecentMemory(minutes, now: now)
  }

  private static func span(_ all: [MemoryMinute], now: WallTime, _ length: Microseconds) -> Span? {
    let begin = now - length
    let minutes = all.filter { $0.time >= begin && $0.time <= now }
    guard minutes.count >= 2, let first = minutes.first, let last = minutes.last else { return nil }
    var curve = [UInt64?](repeating: nil, count: parts)
    for minute in minutes {
      let part = min(parts - 1, Int((minute.time - begin) * UInt64(parts) / length))
      curve[part] = min(curve[part] ?? .max, minute.held)
    }
    let quarter = max(1, minutes.count / 4)
    let (early, late) = (minutes.prefix(quarter), minutes.suffix(quarter))
    func middle(_ part: ArraySlice<MemoryMinute>, _ value: (MemoryMinute) -> Double) -> Double {
      part.reduce(0) { $0 + value($1) } / Double(part.count)
    }
    let hours = (middle(late) { Double($0.minute) } - middle(early) { Double($0.minute) }) / 60
    let growth = middle(late) { Double($0.held) } - middle(early) { Double($0.held) }
    return Span(
      length: min(length, last.time - first.time + .minutes(1)), from: first.held, to: last.held,
      curve: curve,
      perHour: hours > 0 ? growth / hours : 0)
  }

  var json: JSON { .object([("hour", Self.json(hour)), ("day", Self.json(day))]) }

  private static func json(_ span: Span?) -> JSON {
    guard let span else { return .null }
    return .object([
      ("seconds", .uint(span.length / .seconds(1))), ("from", .uint(span.from)), ("to", .uint(span.to)),
      ("bytes_per_hour", .double(span.perHour.rounded())),
      ("curve", .array(span.curve.map { $0.map { .uint($0) } ?? .null })),
    ])
  }

  // MARK: For people

  /// One line for the hour and one for the day: `▁▂▃▄▅▆▇█ 41.2M to 43M held in 1h, +1.8M an hour`.
  func lines(_ style: Style) -> [(label: String, text: String)] {
    [("Last hour", hour), ("Last day", day)].compactMap { label, span in
      span.map { (label: label, text: Self.text($0, style)) }
    }
  }

  private static func text(_ span: Span, _ style: Style) -> String {
    let sign = span.perHour < 0 ? "-" : "+"
    let pace = UInt64(min(abs(span.perHour), 1e18))
    // Growth below one page (4 KiB) per minute is negligible.
    let slope = pace < 245_760 ? "steady" : "\(sign)\(Units.size(pace)) an hour"
    let figures =
      "\(Units.size(span.from)) to \(Units.size(span.to)) held in \(Units.duration(span.length)), \(slope)"
    return style.unicode ? sparkline(span.curve) + " " + figures : figures
  }

  /// Scaled from the least to the greatest value; a curve that hardly moves stays low.
  static func sparkline(_ curve: [UInt64?]) -> String {
    let glyphs = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    let known = curve.compactMap { $0 }
    guard let least = known.min(), let most = known.max() else { return "" }
    // Only a rise of at least a sixteenth of the greatest value reaches the top.
    let height = max(most - least, most / 16, 1)
    return curve.map { value in
      value.map { glyphs[Int(Double($0 - least) / Double(height) * Double(glyphs.count - 1))] } ?? " "
    }.joined()
  }
}
