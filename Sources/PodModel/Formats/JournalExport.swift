/// What journalctl's export format says (systemd.io, Journal Export Formats): `NAME=value` lines, or a name
/// alone, then a little-endian 64-bit length and so many bytes; an empty line ends an entry.
public enum JournalExport {
  private static let first = Array("__CURSOR=".utf8)

  /// The messages of entries that were made at `since` or later (CLOCK_REALTIME, microseconds), in
  /// their order. What is cut off at either end, or malformed, is left out.
  public static func messages(in bytes: [UInt8], since: UInt64) -> [[UInt8]] {
    var messages: [[UInt8]] = []
    var message: ArraySlice<UInt8> = []
    var time: UInt64?
    var rest = bytes[firstEntry(bytes)...]
    while let end = rest.firstIndex(of: 0x0A) {
      let line = rest[..<end]
      rest = rest[(end + 1)...]
      if line.isEmpty {
        if let time, time >= since { messages.append(Array(message)) }
        (message, time) = ([], nil)
        continue
      }
      let name = line.prefix { $0 != UInt8(ascii: "=") }
      var value = line.dropFirst(name.count + 1)
      if name.count == line.count {
        let length = rest.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        rest = rest.dropFirst(8)
        guard length < UInt64(rest.count) else { break }
        value = rest.prefix(Int(length))
        rest = rest.dropFirst(Int(length) + 1)
      }
      switch String(decoding: name, as: UTF8.self) {
      case "MESSAGE": message = value
      case "__REALTIME_TIMESTAMP": time = UInt64(String(decoding: value, as: UTF8.self))
      default: break
      }
    }
    return messages
  }

  private static func firstEntry(_ bytes: [UInt8]) -> Int {
    var start = 0
    while !bytes[start...].starts(with: first) {
      guard let end = bytes[start...].firstIndex(of: 0x0A) else { return bytes.count }
      start = end + 1
    }
    return start
  }
}
