/// A kind of settings file: one section, a closed set of keys, and what each assignment does.
protocol SettingsFile {
  associatedtype Key: RawRepresentable<String>, CaseIterable, Hashable

  /// The section's name, without brackets.
  static var section: String { get }

  /// Takes one assignment. An empty value resets the key to its default, as in systemd.
  mutating func assign(_ key: Key, _ value: String) throws(ValueError)
}

/// Where each key was last assigned, for errors that can be found only when all files are read.
struct SettingsOrigins<Key: RawRepresentable<String> & Hashable> {
  /// Every assignment in order. A list, because a dictionary of each kind of key would be made at every start of podd,
  /// which reads all files then.
  private var places: [(key: Key, file: String, line: Int)] = []
  /// The main file, in which an error about an absent key is reported.
  let mainFile: String

  init(mainFile: String) {
    self.mainFile = mainFile
  }

  func has(_ key: Key) -> Bool { places.contains { $0.key == key } }

  fileprivate mutating func note(_ key: Key, _ assignment: SettingsAssignment) {
    places.append((key, assignment.file, assignment.line))
  }

  /// An error at the key's last assignment, or about the main file if no file assigns it.
  func error(_ key: Key, _ message: String) -> SettingsError {
    let place = places.last { $0.key == key }
    return SettingsError(
      file: place?.file ?? mainFile, line: place?.line, key: key.rawValue, message: message)
  }

  /// An error at the last assignment of any of the keys: until then the files were correct.
  func error(lastOf keys: Key..., message: String) -> SettingsError {
    let last = places.last { keys.contains($0.key) }?.key ?? keys.first
    return last.map { error($0, message) } ?? SettingsError(file: mainFile, message: message)
  }
}

extension SettingsFile {
  /// Applies the fragments in order: the main file, then its drop-ins. Every assignment is checked, also
  /// one that a later fragment overrides, and every mistake is found.
  mutating func read(
    _ fragments: [SettingsFragment], mainFile: String
  ) throws(SettingsErrors) -> SettingsOrigins<Key> {
    var origins = SettingsOrigins<Key>(mainFile: fragments.first?.path ?? mainFile)
    var mistakes: [SettingsError] = []
    for fragment in fragments where mistakes.count < SettingsErrors.limit {
      var (assignments, ofFragment) = SettingsParser.read(fragment)
      // A section of another kind of file is one mistake, however many keys it has.
      var foreign: Set<String> = []
      for assignment in assignments where ofFragment.count < SettingsErrors.limit {
        // systemd.unit(5) reserves the prefix X- for settings of other programs in the same file.
        if assignment.section.hasPrefix("X-") || assignment.key.hasPrefix("X-") { continue }
        guard assignment.section == Self.section else {
          if foreign.insert(assignment.section).inserted {
            let name = clean(assignment.section)
            ofFragment.append(
              assignment.error("it stands in [\(name)]; this file has only [\(Self.section)]"))
          }
          continue
        }
        do throws(ValueError) {
          try apply(assignment, &origins)
        } catch {
          ofFragment.append(assignment.error(error.message))
        }
      }
      mistakes += ofFragment.sorted { ($0.line ?? 0) < ($1.line ?? 0) }
    }
    if let errors = SettingsErrors(mistakes) { throw errors }
    return origins
  }

  private mutating func apply(
    _ assignment: SettingsAssignment, _ origins: inout SettingsOrigins<Key>
  ) throws(ValueError) {
    guard let key = Key(rawValue: assignment.key) else {
      let known = Key.allCases.map { $0.rawValue + "=" }.joined(separator: " ")
      throw ValueError("unknown key; [\(Self.section)] knows \(known)")
    }
    try assign(key, assignment.value)
    origins.note(key, assignment)
  }
}

extension SettingsAssignment {
  fileprivate func error(_ message: String) -> SettingsError {
    SettingsError(file: file, line: line, key: key, message: message)
  }
}

/// The text inside `quoted`'s quotes.
private func clean(_ text: String) -> String {
  String(quoted(text).dropFirst().dropLast())
}

/// The value that `read` returns for `value`, or `fallback` when the assignment is empty.
func parsed<Value>(
  _ value: String, else fallback: Value, _ read: (String) throws(ValueError) -> Value
) throws(ValueError) -> Value {
  value.isEmpty ? fallback : try read(value)
}
