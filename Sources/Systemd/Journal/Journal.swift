internal import Glibc

/// Structured entries for systemd-journald.
public enum Journal {
  /// syslog's levels (syslog(3)).
  public enum Priority: Int, Sendable {
    case emergency = 0
    case alert, critical, error, warning, notice, info, debug
  }

  /// Longer values are cut: an entry must fit into one datagram.
  private static let longestValue = 16_384

  /// Sends one entry without waiting for journald. Field names are upper-case; a value may contain anything. An entry
  /// that journald does not take is dropped: logging must never be the reason that something else fails.
  /// - Parameter identifier: the program's name, by which `journalctl --identifier=` finds the entry.
  public static func send(
    _ message: String, priority: Priority, identifier: String, messageID: String? = nil,
    fields: [(String, String)] = []
  ) {
    var all = [
      ("MESSAGE", message), ("PRIORITY", String(priority.rawValue)), ("SYSLOG_IDENTIFIER", identifier),
    ]
    if let messageID { all.append(("MESSAGE_ID", messageID)) }
    JournalSocket.shared.send(entry(all + fields))
  }

  /// journald's native protocol: `NAME=value`, or for a value with a newline the name, its length as a little-endian
  /// 64-bit number, and the value (systemd.io, Native Journal Protocol).
  static func entry(_ fields: [(String, String)]) -> [UInt8] {
    let newline = UInt8(ascii: "\n")
    var bytes: [UInt8] = []
    for (name, value) in fields {
      let value = value.utf8.prefix(longestValue)
      bytes += name.utf8
      if value.contains(newline) {
        bytes.append(newline)
        withUnsafeBytes(of: UInt64(value.count).littleEndian) { bytes += $0 }
      } else {
        bytes.append(UInt8(ascii: "="))
      }
      bytes += value
      bytes.append(newline)
    }
    return bytes
  }
}
