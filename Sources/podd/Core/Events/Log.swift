import Systemd

/// podd's journal entries. Entries that report an event are a ``PodEvent``.
enum Log {
  static func info(_ text: String) { send(text, .info) }
  static func notice(_ text: String) { send(text, .notice) }
  static func warning(_ text: String) { send(text, .warning) }
  static func error(_ text: String) { send(text, .error) }
  static func debug(_ text: String) { send(text, .debug) }

  /// An entry of an event, with its fields (podctl-journal(7)).
  static func event(
    _ id: MessageID, _ text: String, priority: Journal.Priority = .info, _ fields: [(String, String)] = []
  ) {
    send(text, priority, id: id, fields)
  }

  private static func send(
    _ text: String, _ priority: Journal.Priority, id: MessageID? = nil, _ fields: [(String, String)] = []
  ) {
    Journal.send(text, priority: priority, identifier: "podd", messageID: id?.rawValue, fields: fields)
  }
}
