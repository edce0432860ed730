internal import CSystemd
internal import Glibc

/// Structured entries for systemd-journald.
public enum Journal {
  /// syslog's levels (syslog(3)).
  public enum Priority: Int, Sendable {
    case emergency = 0
    case alert, critical, error, warning, notice, info, debug
  }

  /// Sends one entry. Field names are upper-case; a value may contain anything. An entry that journald does
  /// not take is dropped: logging must never be the reason that something else fails.
  /// - Parameter identifier: the program's name, by which `journalctl --identifier=` finds the entry.
  public static func send(
    _ message: String, priority: Priority, identifier: String, messageID: String? = nil,
    fields: [(String, String)] = []
  ) {
    var parts = ["MESSAGE=\(message)", "PRIORITY=\(priority.rawValue)", "SYSLOG_IDENTIFIER=\(identifier)"]
    if let messageID { parts.append("MESSAGE_ID=\(messageID)") }
    for (name, value) in fields { parts.append("\(name)=\(value)") }
    var copies = parts.map { Array($0.utf8) }
    withBuffers(&copies[...], []) { vectors in
      vectors.withUnsafeBufferPointer { _ = sd_journal_sendv($0.baseAddress, CInt($0.count)) }
    }
  }

  private static func withBuffers(
    _ rest: inout ArraySlice<[UInt8]>, _ done: [iovec], _ body: ([iovec]) -> Void
  ) {
    guard var first = rest.popFirst() else {
      body(done)
      return
    }
    first.withUnsafeMutableBytes { bytes in
      withBuffers(&rest, done + [iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)], body)
    }
  }
}
