internal import PodAPI
internal import PodModel
internal import Time

/// The field `Leak` of `status` and `explain`.
enum LeakLine {
  /// `1.5M/s (1.2M/s to 1.8M/s) since 5min ago, limit met in 2min; it is recycled: it is busy`; nil if there is no leak.
  static func text(_ properties: Properties, _ style: Style) -> String? {
    guard let verdict = properties.string("LeakVerdict"), verdict != "none",
      let slope = properties.double("LeakSlope")
    else { return nil }
    var text = ByteSize.rate(slope)
    if let low = properties.double("LeakSlopeLow"), let high = properties.double("LeakSlopeHigh") {
      text += " (\(ByteSize.rate(low)) to \(ByteSize.rate(high)))"
    }
    if let since = properties.time("LeakSinceTimestamp") {
      text += " since \(Units.relative(since, now: style.now))"
    }
    if let left = properties.span("LeakTimeToLimitUSec") { text += ", limit met in \(Units.duration(left))" }
    if let next = properties.string("LeakNext") {
      let until = properties.time("LeakNextTimestamp").map {
        ", at the latest \(Units.relative($0, now: style.now))"
      }
      text += "; \(printable(next))\(until ?? "")"
    }
    return verdict == "ignored" ? text + "; ignored (LeakAction=none)" : text
  }

  static func json(_ properties: Properties) -> JSON {
    guard let verdict = properties.string("LeakVerdict") else { return .null }
    func number(_ key: String) -> JSON { properties.double(key).map { .double($0) } ?? .null }
    return .object([
      ("verdict", .string(verdict)), ("reason", .optional(properties.string("LeakReason"))),
      ("since", time(properties.time("LeakSinceTimestamp"))),
      ("slope", number("LeakSlope")), ("slope_low", number("LeakSlopeLow")),
      ("slope_high", number("LeakSlopeHigh")),
      (
        "time_to_limit_seconds",
        properties.span("LeakTimeToLimitUSec").map { .double($0.seconds) } ?? .null
      ),
      ("next", .optional(properties.string("LeakNext"))),
      ("next_at", time(properties.time("LeakNextTimestamp"))),
    ])
  }

  private static func time(_ time: WallTime?) -> JSON {
    time.map { .string(Timestamp.rfc3339($0)) } ?? .null
  }
}
