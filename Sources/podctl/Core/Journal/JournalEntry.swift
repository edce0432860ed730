internal import PodAPI

/// One journal entry, as far as `--json` tells of it.
struct JournalEntry {
  private(set) var fields: [String: String] = [:]

  subscript(name: String) -> String? { fields[name] }

  /// Reads journalctl's export format: `NAME=value` lines, or a name alone, then a little-endian length
  /// and so many bytes; an empty line ends an entry. What is cut off or malformed at the end is dropped.
  static func parse(export bytes: [UInt8]) -> [JournalEntry] {
    var entries: [JournalEntry] = []
    var entry = JournalEntry()
    var position = 0
    while position < bytes.count, let end = bytes[position...].firstIndex(of: 0x0A) {
      let line = bytes[position..<end]
      position = end + 1
      if line.isEmpty {
        if !entry.fields.isEmpty { entries.append(entry) }
        entry = JournalEntry()
      } else if let equals = line.firstIndex(of: UInt8(ascii: "=")) {
        entry.set(line[..<equals], line[(equals + 1)...])
      } else {
        guard bytes.count - position >= 8 else { break }
        let length = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[position + $1]) << (8 * UInt64($1)) }
        position += 8
        guard length < UInt64(bytes.count - position) else { break }
        entry.set(line, bytes[position..<(position + Int(length))])
        position += Int(length) + 1
      }
    }
    if !entry.fields.isEmpty { entries.append(entry) }
    return entries
  }

  private mutating func set(_ name: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) {
    let name = String(decoding: name, as: UTF8.self)
    // A field may come more than once; the first is what journalctl shows.
    if fields[name] == nil { fields[name] = String(decoding: value, as: UTF8.self) }
  }

  private var time: JSON {
    guard let text = self["__REALTIME_TIMESTAMP"], let time = UInt64(text) else { return .null }
    return .string(Timestamp.rfc3339(time, fraction: true))
  }

  private func number(_ name: String) -> JSON { .optional(self[name].flatMap { UInt64($0) }) }

  /// An element of `logs --json`.
  var logJSON: JSON {
    .object([
      ("time", time), ("pod", .optional(self["POD"])), ("user", .optional(self["POD_USER"])),
      ("unit", .optional(self["_SYSTEMD_UNIT"])), ("identifier", .optional(self["SYSLOG_IDENTIFIER"])),
      ("pid", number("_PID")), ("priority", number("PRIORITY")),
      ("message", .string(self["MESSAGE"] ?? "")),
    ])
  }

  /// An element of `events --json`.
  var eventJSON: JSON {
    .object([
      ("time", time), ("message_id", .optional(self["MESSAGE_ID"])), ("pod", .optional(self["POD"])),
      ("user", .optional(self["POD_USER"])), ("tier", .optional(self["POD_TIER"])),
      ("generation", number("POD_GENERATION")), ("state", .optional(self["POD_STATE"])),
      ("reason", .optional(self["POD_REASON"])), ("unit", .optional(self["POD_UNIT"])),
      ("priority", number("PRIORITY")), ("message", .string(self["MESSAGE"] ?? "")),
    ])
  }
}
