public import PodModel
public import Time

/// The description of an event that a `podctl-alert@KIND.service` reads (podctl-alert(7)): one JSON object. Keys that
/// `podctl events --json` has too have the same names.
public struct Alert: Sendable {
  public let kind: AlertKind
  public let time: WallTime
  public let host: String
  /// Journal fields of the event, such as `POD` and `POD_REASON`, and `MESSAGE`.
  public let fields: [(String, String)]

  public init(_ kind: AlertKind, time: WallTime, host: String, fields: [(String, String)]) {
    self.kind = kind
    self.time = time
    self.host = host
    self.fields = fields
  }

  /// Keys that every alert has, with null for a missing value; further fields follow them.
  private static let always = ["pod", "user", "tier", "generation", "state", "reason", "unit", "message"]

  /// The object on one line, with a line end.
  public var text: String {
    var rest = fields.map { (key: Self.key($0.0), value: $0.1) }
    var members: [(key: String, value: JSON)] = [
      ("time", .string(Timestamp.rfc3339(time, fraction: true))), ("host", .optional(host)),
      ("kind", .string(kind.rawValue)),
    ]
    for key in Self.always {
      let value = rest.last { $0.key == key }?.value
      rest.removeAll { $0.key == key }
      let number = key == "generation" ? value.flatMap { UInt64($0) } : nil
      members.append((key, number.map(JSON.uint) ?? .optional(value)))
    }
    return JSON.object(members + rest.map { ($0.key, .optional($0.value)) }).text + "\n"
  }

  /// `POD_REASON` becomes `reason`, `POD` becomes `pod`.
  private static func key(_ field: String) -> String {
    let prefix = "POD_"
    return (field.hasPrefix(prefix) ? String(field.dropFirst(prefix.count)) : field).lowercased()
  }
}
