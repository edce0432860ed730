import PodModel
import Systemd

/// podd's journal entries. Every kind of event has its MESSAGE_ID and a catalog text (podctl-journal(7)).
enum Log {
  static func info(_ text: String) { Journal.send(text, priority: .info) }
  static func notice(_ text: String) { Journal.send(text, priority: .notice) }
  static func warning(_ text: String) { Journal.send(text, priority: .warning) }
  static func error(_ text: String) { Journal.send(text, priority: .error) }
  static func debug(_ text: String) { Journal.send(text, priority: .debug) }

  /// An entry that belongs to a kind of event, with its fields.
  static func event(
    _ id: MessageID, _ text: String, priority: Journal.Priority = .info, _ fields: [(String, String)] = []
  ) {
    Journal.send(text, priority: priority, messageID: id.rawValue, fields: fields)
  }
}
