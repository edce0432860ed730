/// A kind of settings file: one section, a closed set of keys, and what each assignment does.
protocol SettingsFile {
  associatedtype Key: RawRepresentable<String>, CaseIterable, Hashable

  /// The section's name, without brackets.
  static var section: String { get }

  /// Takes one assignment. An empty value resets the key to its default, as in systemd.
  mutating func assign(_ key: Key, _ value: String) throws(ValueError)
}

/// Where each key was last assigned, for errors that only show once every file is read.
struct SettingsOrigins<Key: RawRepresentable<String> & Hashable> {
  fileprivate var places: [Key: (file: String, line: Int, order: Int)] = [:]
  /// The main file, to which an error about an absent key belongs.
  fileprivate(set) var mainFile: String

  func has(_ key: Key) -> Bool { places[key] != nil }

  /// An error at the key's last assignment, or about the main file when it has none.
  func error(_ key: Key, _ message: String) -> SettingsError {
    let place = places[key]
    return SettingsError(
      file: place?.file ?? mainFile, line: place?.line, key: key.rawValue, message: message)
  }

  /// An error at whichever of the keys was assigned last: that assignment broke what held before it.
  func error(lastOf keys: Key..., message: String) -> SettingsError {
    let last = keys.max { (places[$0]?.order ?? -1) < (places[$1]?.order ?? -1) }
    return last.map { error($0, message) } ?? SettingsError(file: mainFile, message: message)
  }
}

extension SettingsFile {
  /// Applies the fragments in order: the main file, then its drop-ins. Every assignment is checked, also
  /// one that a later fragment overrides.
  mutating func read(
    _ fragments: [SettingsFragment], mainFile: String
  ) throws(SettingsError) -> SettingsOrigins<Key> {
    var origins = SettingsOrigins<Key>(mainFile: fragments.first?.path ?? mainFile)
    var order = 0
    for fragment in fragments {
      for assignment in try SettingsParser.parse(fragment) {
        // X- is systemd's own prefix for what other programs keep in the same file (systemd.unit(5)).
        if assignment.section.hasPrefix("X-") || assignment.key.hasPrefix("X-") { continue }
        func error(_ message: String) -> SettingsError {
          SettingsError(
            file: assignment.file, line: assignment.line, key: assignment.key, message: message)
        }
        guard assignment.section == Self.section else {
          throw error("it stands in [\(clean(assignment.section))]; this file has only [\(Self.section)]")
        }
        guard let key = Key(rawValue: assignment.key) else {
          let known = Key.allCases.map { $0.rawValue + "=" }.joined(separator: " ")
          throw error("unknown key; [\(Self.section)] knows \(known)")
        }
        do throws(ValueError) {
          try assign(key, assignment.value)
        } catch let failure {
          throw error(failure.message)
        }
        origins.places[key] = (assignment.file, assignment.line, order)
        order += 1
      }
    }
    return origins
  }
}

/// The text inside `quoted`'s quotes.
private func clean(_ text: String) -> String {
  String(quoted(text).dropFirst().dropLast())
}

/// What `read` makes of `value`, or `fallback` when the assignment is empty.
func parsed<Value>(
  _ value: String, else fallback: Value, _ read: (String) throws(ValueError) -> Value
) throws(ValueError) -> Value {
  value.isEmpty ? fallback : try read(value)
}
