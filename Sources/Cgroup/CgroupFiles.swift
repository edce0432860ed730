public import Time

/// The formats of cgroup v2's files (kernel, Documentation/admin-guide/cgroup-v2.rst, "Interface Files").
/// Pure: text in, values out.
public enum CgroupFiles {
  /// `max` or a number; nil means `max`.
  public static func limit(_ text: some StringProtocol, path: String = "") throws(CgroupError) -> UInt64? {
    let line = trimmed(text)
    if line == "max" { return nil }
    guard let value = UInt64(line) else { throw .malformed(path: path, line: clipped(line)) }
    return value
  }

  public static func number(_ text: some StringProtocol, path: String = "") throws(CgroupError) -> UInt64 {
    let line = trimmed(text)
    guard let value = UInt64(line) else { throw .malformed(path: path, line: clipped(line)) }
    return value
  }

  /// `cpu.max`: quota and period in microseconds; a nil quota means `max`.
  public static func cpuMax(
    _ text: some StringProtocol, path: String = ""
  ) throws(CgroupError) -> (quota: UInt64?, period: UInt64) {
    let fields = trimmed(text).split(separator: " ")
    guard fields.count == 2, let period = UInt64(fields[1]) else {
      throw .malformed(path: path, line: clipped(trimmed(text)))
    }
    if fields[0] == "max" { return (nil, period) }
    guard let quota = UInt64(fields[0]) else { throw .malformed(path: path, line: clipped(trimmed(text))) }
    return (quota, period)
  }

  /// A flat keyed file such as `memory.events` or `memory.stat`. Keys that a newer kernel adds are kept.
  public static func flatKeyed(
    _ text: some StringProtocol, path: String = ""
  ) throws(CgroupError) -> [String: UInt64] {
    var result: [String: UInt64] = [:]
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count == 2, let value = UInt64(fields[1]) else {
        throw .malformed(path: path, line: clipped(line))
      }
      result[String(fields[0])] = value
    }
    return result
  }

  /// One key of a flat keyed file without building a table; nil when it is not there.
  public static func value(of key: String, in text: some StringProtocol) -> UInt64? {
    for line in text.split(separator: "\n") where line.hasPrefix(key) {
      let rest = line.dropFirst(key.count)
      if rest.first == " " { return UInt64(rest.dropFirst()) }
    }
    return nil
  }

  /// One line of a pressure file: averages in percent (kernel, psi.rst).
  public struct Pressure: Equatable, Sendable {
    public var avg10 = 0.0
    public var avg60 = 0.0
    public var avg300 = 0.0
    public var total = Microseconds.zero

    public init() {}
  }

  /// `memory.pressure` and its kin; `full` is nil where the kernel has none.
  public static func pressure(
    _ text: some StringProtocol, path: String = ""
  ) throws(CgroupError) -> (some: Pressure, full: Pressure?) {
    var some: Pressure?
    var full: Pressure?
    for line in text.split(separator: "\n") {
      let fields = line.split(separator: " ")
      var value = Pressure()
      for field in fields.dropFirst() {
        let pair = field.split(separator: "=", maxSplits: 1)
        guard pair.count == 2 else { throw .malformed(path: path, line: clipped(line)) }
        switch pair[0] {
        case "avg10": value.avg10 = try double(pair[1], path: path, line: line)
        case "avg60": value.avg60 = try double(pair[1], path: path, line: line)
        case "avg300": value.avg300 = try double(pair[1], path: path, line: line)
        case "total":
          guard let total = UInt64(pair[1]) else { throw .malformed(path: path, line: clipped(line)) }
          value.total = Microseconds(total)
        default: break
        }
      }
      if fields.first == "some" { some = value }
      if fields.first == "full" { full = value }
    }
    guard let some else { throw .malformed(path: path, line: clipped(text)) }
    return (some, full)
  }

  private static func double(
    _ text: some StringProtocol, path: String, line: some StringProtocol
  ) throws(CgroupError) -> Double {
    guard let value = Double(String(text)), value.isFinite else {
      throw .malformed(path: path, line: clipped(line))
    }
    return value
  }

  private static func trimmed(_ text: some StringProtocol) -> String {
    var slice = Substring(text)
    while let last = slice.last, last.isWhitespace { slice.removeLast() }
    return String(slice)
  }

  private static func clipped(_ text: some StringProtocol) -> String {
    String(text.unicodeScalars.prefix(80).map { $0.value < 32 || $0.value == 127 ? "." : Character($0) })
  }
}
