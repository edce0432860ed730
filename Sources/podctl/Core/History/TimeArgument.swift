internal import ArgumentParser
internal import Glibc
internal import PodModel
internal import Time

/// A point in time in the format of `journalctl --since` (systemd.time(7), "Parsing Timestamps").
enum TimeArgument {
  /// Understands `now`, `today`, `yesterday`, `2026-11-22`, `2026-11-22 10:00[:30]`, `10:00[:30]`, `-2h`, `2h ago` and
  /// `@SECONDS`; times without a date are today's, all in the local time zone.
  static func parse(_ text: String, now: WallTime) throws(ValueError) -> WallTime {
    switch text {
    case "now": return now
    case "today": return midnight(now, daysAgo: 0)
    case "yesterday": return midnight(now, daysAgo: 1)
    default: break
    }
    if text.hasPrefix("@"), let seconds = UInt64(text.dropFirst()), seconds < 1 << 40 {
      return .epoch + .seconds(seconds)
    }
    if text.hasPrefix("-") { return now - (try span(String(text.dropFirst()), of: text)) }
    if text.hasSuffix(" ago") { return now - (try span(String(text.dropLast(4)), of: text)) }
    guard let time = absolute(text, now: now) else { throw unreadable(text) }
    return time
  }

  private static func span(_ text: String, of whole: String) throws(ValueError) -> Microseconds {
    do throws(ValueError) { return try SettingsValue.timeSpan(text) } catch { throw unreadable(whole) }
  }

  private static func unreadable(_ text: String) -> ValueError {
    ValueError(
      "\(quoted(text)) is not a time; write 2026-11-22 10:00, 10:00, yesterday, or a relative time such as -2h"
    )
  }

  private static func midnight(_ now: WallTime, daysAgo days: Int32) -> WallTime {
    var day = broken(now)
    (day.tm_hour, day.tm_min, day.tm_sec) = (0, 0, 0)
    day.tm_mday -= days
    return together(day) ?? now
  }

  private static func absolute(_ text: String, now: WallTime) -> WallTime? {
    let words = text.split(separator: " ", omittingEmptySubsequences: false)
    var result = broken(now)
    (result.tm_hour, result.tm_min, result.tm_sec) = (0, 0, 0)
    var rest = words[...]
    if let first = rest.first, first.contains("-") {
      guard let date = numbers(first, separator: "-", 3...3),
        (1970...9999).contains(date[0]), (1...12).contains(date[1]), (1...31).contains(date[2])
      else { return nil }
      (result.tm_year, result.tm_mon, result.tm_mday) = (date[0] - 1900, date[1] - 1, date[2])
      rest = rest.dropFirst()
      if rest.isEmpty { return exact(result) }
    }
    guard rest.count == 1, let word = rest.first, let time = numbers(word, separator: ":", 2...3),
      (0...23).contains(time[0]), (0...59).contains(time[1]), (0...59).contains(time.count > 2 ? time[2] : 0)
    else { return nil }
    (result.tm_hour, result.tm_min, result.tm_sec) = (time[0], time[1], time.count > 2 ? time[2] : 0)
    return exact(result)
  }

  private static func numbers(
    _ text: Substring, separator: Character, _ count: ClosedRange<Int>
  ) -> [Int32]? {
    let parts = text.split(separator: separator, omittingEmptySubsequences: false)
    let numbers = parts.compactMap { part in
      (1...4).contains(part.utf8.count) && part.utf8.allSatisfy { (48...57).contains($0) } ? Int32(part) : nil
    }
    return numbers.count == parts.count && count.contains(parts.count) ? numbers : nil
  }

  /// Nil if the month does not have that day.
  private static func exact(_ parts: tm) -> WallTime? {
    guard let time = together(parts), broken(time).tm_mday == parts.tm_mday else { return nil }
    return time
  }

  private static func broken(_ time: WallTime) -> tm {
    var seconds = time_t(time.sinceEpoch / .seconds(1))
    var parts = tm()
    localtime_r(&seconds, &parts)
    return parts
  }

  private static func together(_ parts: tm) -> WallTime? {
    var parts = parts
    // mktime(3) finds out whether summer time is in force.
    parts.tm_isdst = -1
    let seconds = mktime(&parts)
    return seconds < 0 ? nil : .epoch + .seconds(UInt64(seconds))
  }
}
