internal import Glibc
internal import PodModel
internal import Time

/// Numbers and times in systemd's spelling.
enum Units {
  /// ``ByteSize``, and `-` for none.
  static func size(_ bytes: UInt64?) -> String { bytes.map(ByteSize.text) ?? "-" }

  /// Half a second per second is `50%`.
  static func percent(perSec: Microseconds?) -> String {
    guard let perSec else { return "-" }
    return "\(perSec / .milliseconds(10))%"
  }

  /// `12.5%`, `130%`: one decimal unless it is zero.
  static func percent(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e9 else { return "-" }
    let tenths = Int((value * 10).rounded())
    return tenths % 10 == 0 ? "\(tenths / 10)%" : "\(tenths / 10).\(abs(tenths % 10))%"
  }

  /// How often something happens in a second: `0.2`, `12.5`, `1250`.
  static func rate(_ perSecond: Double) -> String {
    guard perSecond.isFinite, perSecond < 1e9 else { return "-" }
    let tenths = Int((perSecond * 10).rounded())
    // It happens, but seldom.
    if tenths == 0, perSecond > 0 { return "<0.1" }
    return tenths >= 1000 || tenths % 10 == 0 ? "\((tenths + 5) / 10)" : "\(tenths / 10).\(tenths % 10)"
  }

  /// `3min 4s`, `1.5s`, `250ms`: the two largest units, as systemd abbreviates durations.
  static func duration(_ span: Microseconds) -> String {
    if span < .milliseconds(1) { return span == .zero ? "0" : "\(span.count)us" }
    if span < .seconds(1) { return "\(span / .milliseconds(1))ms" }
    let seconds = span / .seconds(1)
    if span < .minutes(1) {
      let tenths = span % .seconds(1) / .milliseconds(100)
      return tenths == 0 ? "\(seconds)s" : "\(seconds).\(tenths)s"
    }
    let parts: [(String, UInt64)] = [
      ("w", seconds / 604_800), ("d", seconds / 86_400 % 7), ("h", seconds / 3600 % 24),
      ("min", seconds / 60 % 60), ("s", seconds % 60),
    ]
    return parts.drop { $0.1 == 0 }.prefix(2).filter { $0.1 > 0 }.map { "\($0.1)\($0.0)" }
      .joined(separator: " ")
  }

  /// `5min ago`, `2h 3min ago`, `1 week 2 days ago`: systemd.time(7), "relative".
  static func relative(_ time: WallTime, now: WallTime) -> String {
    if time > now { return "in \(duration(time - now))" }
    let past = time < now
    let distance = now - time
    let second = Microseconds.seconds(1)
    let minute = Microseconds.minutes(1)
    let hour = Microseconds.hours(1)
    let day = Microseconds.days(1)
    let week = Microseconds.days(7)
    let month = Microseconds.month
    let year = Microseconds.year
    func named(_ count: UInt64, _ word: String) -> String { "\(count) \(word)\(count == 1 ? "" : "s")" }
    func pair(_ large: UInt64, _ largeWord: String, _ small: UInt64, _ smallWord: String) -> String {
      small == 0 ? named(large, largeWord) : "\(named(large, largeWord)) \(named(small, smallWord))"
    }
    let text =
      switch distance {
      case year...: pair(distance / year, "year", distance % year / month, "month")
      case month...: pair(distance / month, "month", distance % month / day, "day")
      case week...: pair(distance / week, "week", distance % week / day, "day")
      case (day * 2)...: named(distance / day, "day")
      case (hour * 25)...: "1 day \((distance - day) / hour)h"
      case (hour * 6)...: "\(distance / hour)h"
      case hour...: "\(distance / hour)h \(distance % hour / minute)min"
      case (minute * 5)...: "\(distance / minute)min"
      case minute...: "\(distance / minute)min \(distance % minute / second)s"
      case second...: "\(distance / second)s"
      case .milliseconds(1)...: "\(distance / .milliseconds(1))ms"
      default: "\(distance.count)us"
      }
    return past ? "\(text) ago" : "now"
  }

  /// `Sat 2026-11-21 09:02:38 CET`, in the local time zone.
  static func absolute(_ time: WallTime) -> String { local(time, "%a %Y-%m-%d %H:%M:%S %Z") }

  /// `09:02:38`, in the local time zone.
  static func timeOfDay(_ time: WallTime) -> String { local(time, "%H:%M:%S") }

  /// As strftime(3) does it.
  static func local(_ time: WallTime, _ format: String) -> String {
    var seconds = time_t(time.sinceEpoch / .seconds(1))
    var parts = tm()
    localtime_r(&seconds, &parts)
    var buffer = [UInt8](repeating: 0, count: 64)
    let length = buffer.withUnsafeMutableBytes { bytes in
      bytes.withMemoryRebound(to: CChar.self) {
        guard let start = $0.baseAddress else { return 0 }
        return strftime(start, $0.count, format, &parts)
      }
    }
    return String(decoding: buffer.prefix(length), as: UTF8.self)
  }
}
