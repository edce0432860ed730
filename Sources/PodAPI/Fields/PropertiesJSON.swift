internal import Systemd
internal import Time

/// Converts properties to JSON members by their names, so that properties of a newer podd appear too.
extension Properties {
  /// All properties as members, except those whose keys are in `known`.
  public func jsonMembers(excluding known: Set<String> = []) -> [(key: String, value: JSON)] {
    entries.map { Self.member($0.key, $0.value) }.filter { !known.contains($0.key) }
  }

  /// The name in snake_case without systemd's unit suffixes: durations become seconds, points in time
  /// RFC 3339, "no value" null.
  static func member(_ name: String, _ value: Variant) -> (key: String, value: JSON) {
    if name == "CPUQuotaPerSecUSec" { return ("cpu_quota", seconds(value, perSecond: 1_000_000)) }
    for (suffix, perSecond) in [("NSec", 1_000_000_000.0), ("USec", 1_000_000.0)] {
      if name.hasSuffix(suffix) {
        return (snakeCase(name.dropLast(suffix.count)) + "_seconds", seconds(value, perSecond: perSecond))
      }
    }
    if name == "Since" || name.hasSuffix("Timestamp") {
      // As `podctl users` prints it.
      let key = name == "LastUsedTimestamp" ? "last_used" : snakeCase(name[...])
      guard case .uint(let time) = value, time != 0, time != PodBus.noSize else {
        return (key, .null)
      }
      return (key, .string(Timestamp.rfc3339(WallTime(sinceEpoch: Microseconds(time)))))
    }
    if zeroMeansAbsent(name), value == .uint(0) { return (snakeCase(name[...]), .null) }
    return (snakeCase(name[...]), json(value))
  }

  private static func seconds(_ value: Variant, perSecond: Double) -> JSON {
    guard case .uint(let number) = value, number != PodBus.noSize else { return .null }
    return .double(Double(number) / perSecond)
  }

  static func json(_ value: Variant) -> JSON {
    switch value {
    case .string(let text): .optional(text)
    case .bool(let flag): .bool(flag)
    case .uint(let number): number == PodBus.noSize ? .null : .uint(number)
    case .int(let number): .int(number)
    case .double(let number): .double(number)
    case .array(let items): .array(items.map(json))
    case .dictionary(let members): .object(members.map { member($0.key, $0.value) })
    }
  }

  /// `MainPID` → `main_pid`, `CPUUsage` → `cpu_usage`, `NPods` → `pods`.
  static func snakeCase(_ name: Substring) -> String {
    var bytes = Array(name.utf8)
    if bytes.count > 1, bytes[0] == UInt8(ascii: "N"), isUpper(bytes[1]) { bytes.removeFirst() }
    var result: [UInt8] = []
    for (position, byte) in bytes.enumerated() {
      if byte == UInt8(ascii: "-") {
        result.append(UInt8(ascii: "_"))
        continue
      }
      if isUpper(byte), position > 0 {
        let afterLower = !isUpper(bytes[position - 1]) && bytes[position - 1] != UInt8(ascii: "-")
        let beforeLower = position + 1 < bytes.count && isLower(bytes[position + 1])
        if afterLower || (beforeLower && isUpper(bytes[position - 1])) { result.append(UInt8(ascii: "_")) }
      }
      result.append(isUpper(byte) ? byte + 32 : byte)
    }
    return String(decoding: result, as: UTF8.self)
  }

  private static func isUpper(_ byte: UInt8) -> Bool { (65...90).contains(byte) }
  private static func isLower(_ byte: UInt8) -> Bool { (97...122).contains(byte) }
}
