internal import PodAPI

/// The evidence of a generation's end: the JSON object that podd records with it (podctl-explain(1)).
struct RecordedEvidence {
  private let value: JSON

  /// Nil if `text` is not a JSON object.
  init?(_ text: String) {
    guard let value = JSON(parsing: text), case .object = value else { return nil }
    self.value = value
  }

  /// The keys that `json` has for every end, also for one that an older podd recorded.
  private static let keys = [
    "exit", "oom_kills", "own_limit_ooms", "oomd_kills", "unit_result", "adopted", "memory_current",
    "memory_peak",
    "memory_max",
    "probe_error", "cut_connections", "log",
  ]

  private var further: [(key: String, value: JSON)] {
    guard case .object(let members) = value else { return [] }
    return members.filter { !Self.keys.contains($0.key) }
  }

  /// The object with all of its keys.
  var json: JSON { .object(Self.keys.map { ($0, value[$0] ?? .null) } + further) }

  /// The last lines that the program wrote.
  var log: [String] {
    guard case .array(let items) = value["log"] else { return [] }
    return items.compactMap { if case .string(let line) = $0 { printable(line) } else { nil } }
  }

  /// Everything but the log, as phrases such as `signal:KILL`, `oom kills 1`, `own limit ooms 3`,
  /// `memory 95.9M of 96M`. Zero counts, and an exit that equals `reason`, are left out.
  func phrases(excluding reason: String?) -> [String] {
    var phrases: [String] = []
    if let exit = string("exit"), exit != reason { phrases.append(exit) }
    phrases += ["oom_kills", "own_limit_ooms", "oomd_kills", "unit_result", "adopted"].compactMap {
      phrase($0, value[$0])
    }
    let limit = size("memory_max").map { " of \($0)" } ?? ""
    if let memory = size("memory_current") { phrases.append("memory \(memory)\(limit)") }
    if let peak = size("memory_peak") { phrases.append("memory peak \(peak)") }
    if let error = string("probe_error") { phrases.append("probe: \(error)") }
    if let cut = uint("cut_connections"), cut > 0 {
      phrases.append("\(cut) connection\(cut == 1 ? "" : "s") cut")
    }
    if case .string(let leak) = value["leak"]?["reason"] { phrases.append(printable(leak)) }
    return phrases + further.compactMap { phrase($0.key, $0.value) }
  }

  private func phrase(_ key: String, _ value: JSON?) -> String? {
    let name = printable(key.replacing("_", with: " "))
    return switch value {
    case .bool(true): name
    case .string(let text) where !text.isEmpty: "\(name) \(printable(text))"
    case .uint(let number) where number != 0: "\(name) \(number)"
    case .int(let number): "\(name) \(number)"
    case .double(let number) where number != 0: "\(name) \(number)"
    default: nil
    }
  }

  private func string(_ key: String) -> String? {
    guard case .string(let text) = value[key], !text.isEmpty else { return nil }
    return printable(text)
  }

  private func uint(_ key: String) -> UInt64? {
    guard case .uint(let number) = value[key] else { return nil }
    return number
  }

  private func size(_ key: String) -> String? { uint(key).map { Units.size($0) } }
}
