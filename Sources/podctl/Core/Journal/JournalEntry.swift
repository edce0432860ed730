internal import PodAPI
internal import PodModel
internal import Time

/// One journal entry, for `--json`.
struct JournalEntry {
  private(set) var fields: [String: String] = [:]

  subscript(name: String) -> String? { fields[name] }

  /// Reads journalctl's export format. A last entry that is cut off keeps its complete fields.
  static func parse(export bytes: [UInt8]) -> [JournalEntry] {
    var entries: [JournalEntry] = []
    JournalExport.eachEntry(in: bytes[...]) { fields, _ in
      var entry = JournalEntry()
      for (name, value) in fields {
        let name = String(decoding: name, as: UTF8.self)
        // A field may occur more than once; journalctl shows the first.
        if entry.fields[name] == nil { entry.fields[name] = String(decoding: value, as: UTF8.self) }
      }
      entries.append(entry)
    }
    return entries
  }

  private var time: JSON {
    guard let text = self["__REALTIME_TIMESTAMP"], let count = UInt64(text) else { return .null }
    return .string(Timestamp.rfc3339(WallTime(sinceEpoch: Microseconds(count)), fraction: true))
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
