public import Time

/// journalctl's export format (systemd.io, Journal Export Formats): lines `NAME=value`, or a name alone that
/// is followed by a little-endian 64-bit length and so many bytes; an empty line ends an entry.
public enum JournalExport {
  /// One entry's fields, in their order. A field may occur more than once.
  public typealias Entry = [(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)]

  /// Calls `body` with each entry in turn, and says whether the entry is whole. The last entry is not when
  /// the text is cut off or malformed in it; it then has the fields that precede that place.
  public static func eachEntry(
    in bytes: ArraySlice<UInt8>, _ body: (_ entry: Entry, _ isWhole: Bool) -> Void
  ) {
    var entry: Entry = []
    var rest = bytes
    while let end = rest.firstIndex(of: 0x0A) {
      let line = rest[..<end]
      rest = rest[(end + 1)...]
      if line.isEmpty {
        if !entry.isEmpty { body(entry, true) }
        entry = []
      } else if let equals = line.firstIndex(of: UInt8(ascii: "=")) {
        entry.append((line[..<equals], line[(equals + 1)...]))
      } else {
        guard rest.count >= 8 else { break }
        let length = rest.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        rest = rest.dropFirst(8)
        guard length < UInt64(rest.count) else { break }
        entry.append((line, rest.prefix(Int(length))))
        rest = rest.dropFirst(Int(length) + 1)
      }
    }
    if !entry.isEmpty { body(entry, false) }
  }

  /// The messages of entries that were made at `since` or later, in their order. `bytes` may begin or end in
  /// the middle of an entry, which is left out. All entries are of this boot. Their wall time does not count: the clock
  /// may have been set back since.
  public static func messages(in bytes: [UInt8], since: LoopTime) -> [[UInt8]] {
    var messages: [[UInt8]] = []
    eachEntry(in: bytes[firstEntry(bytes)...]) { entry, isWhole in
      guard isWhole, let time = value("__MONOTONIC_TIMESTAMP", of: entry),
        let count = UInt64(String(decoding: time, as: UTF8.self)),
        LoopTime(sinceBoot: Microseconds(count)) >= since
      else { return }
      messages.append(Array(value("MESSAGE", of: entry) ?? []))
    }
    return messages
  }

  private static func value(_ name: String, of entry: Entry) -> ArraySlice<UInt8>? {
    entry.last { $0.name.elementsEqual(name.utf8) }?.value
  }

  private static func firstEntry(_ bytes: [UInt8]) -> Int {
    let cursor = "__CURSOR=".utf8
    var start = 0
    while !bytes[start...].starts(with: cursor) {
      guard let end = bytes[start...].firstIndex(of: 0x0A) else { return bytes.count }
      start = end + 1
    }
    return start
  }
}
