internal import PodAPI

/// What shows why a generation ended: the object that podd keeps with it.
struct Evidence {
  private let value: JSON

  /// Nil for a text that is no JSON object.
  init?(_ text: String) {
    guard let value = JSON(parsing: text), case .object = value else { return nil }
    self.value = value
  }

  /// What every end has, also one that an older podd wrote down.
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

  /// The log aside, in words, without what did not happen and what the reason has said already: `signal:KILL`,
  /// `oom kills 1`, `own limit ooms 3`, `memory 95.9M of 96M`.
  func words(besides reason: String?) -> [String] {
    var words: [String] = []
    if let exit = string("exit"), exit != reason { words.append(exit) }
    words += ["oom_kills", "own_limit_ooms", "oomd_kills", "unit_result", "adopted"].compactMap {
      told($0, value[$0])
    }
    let limit = size("memory_max").map { " of \($0)" } ?? ""
    if let memory = size("memory_current") { words.append("memory \(memory)\(limit)") }
    if let peak = size("memory_peak") { words.append("memory peak \(peak)") }
    if let error = string("probe_error") { words.append("probe: \(error)") }
    if let cut = uint("cut_connections"), cut > 0 {
      words.append("\(cut) connection\(cut == 1 ? "" : "s") cut")
    }
    if case .string(let leak) = value["leak"]?["reason"] { words.append(printable(leak)) }
    return words + further.compactMap { told($0.key, $0.value) }
  }

  private func told(_ key: String, _ value: JSON?) -> String? {
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
