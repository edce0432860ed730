import Systemd

/// podgate's journal entries. None has a token or a part of one.
enum GateLog {
  static func info(_ text: String) { send(text, .info) }
  static func warning(_ text: String) { send(text, .warning) }
  static func error(_ text: String) { send(text, .error) }

  private static func send(_ text: String, _ priority: Journal.Priority) {
    Journal.send(text, priority: priority, identifier: "podgate")
  }
}
