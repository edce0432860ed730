import PodModel

/// The tiers, or the workloads, in force by name.
///
/// A file that parses is in force from the next time that it is needed. One that does not parse is an error for
/// whoever needs it, until `reportMistakes` has reported it: from then on the last policy that parsed is in force, if
/// there is one, until the file parses again (decision 0018).
struct SettingsTable<Value> {
  /// What the files of one name hold; nil when they define nothing.
  typealias Reading = (policy: Result<Value, SettingsErrors>?, stamps: FileStamps)

  private var cache = SettingsCache<Result<Value, SettingsErrors>>()
  private var lastParsed: [String: Value] = [:]
  /// The mistakes that were reported and are still there.
  private(set) var reported: [String: SettingsErrors] = [:]

  /// The policy in force; nil when the files define nothing.
  mutating func inForce(_ name: String, _ read: () -> Reading) throws(SettingsErrors) -> Value? {
    switch current(name, read) {
    case .success(let value): return value
    case .failure(let errors):
      guard reported.keys.contains(name), let last = lastParsed[name] else { throw errors }
      return last
    case nil: return nil
    }
  }

  /// What the files say now, whether it is in force or not; nil when they define nothing.
  mutating func current(_ name: String, _ read: () -> Reading) -> Result<Value, SettingsErrors>? {
    if let known = cache.value(name) { return known }
    let (policy, stamps) = read()
    if let policy { cache.keep(policy, name, stamps) } else { cache.forget(name) }
    switch policy {
    case .success(let value):
      lastParsed[name] = value
      reported[name] = nil
    case .failure(let errors):
      if reported.keys.contains(name) { reported[name] = errors }
    case nil:
      lastParsed[name] = nil
      reported[name] = nil
    }
    return policy
  }

  /// The last policy that parsed, whatever the files say now.
  func last(_ name: String) -> Value? { lastParsed[name] }

  /// The last policy of each name that parsed.
  var all: [String: Value] { lastParsed }

  /// What the files of a policy that is kept looked like; nil when none is kept, or something has changed since.
  func currentStamps(_ name: String) -> FileStamps? { cache.currentStamps(name) }

  /// The files are read again when they are needed.
  mutating func forget(_ name: String) { cache.forget(name) }

  /// Reads all of `names`, and marks as reported what does not parse.
  mutating func reportMistakes(_ names: [String], _ read: (String) -> Reading) {
    for name in Set(reported.keys).union(lastParsed.keys).subtracting(names) {
      reported[name] = nil
      lastParsed[name] = nil
    }
    for name in names {
      cache.forget(name)
      if case .failure(let errors) = current(name, { read(name) }) { reported[name] = errors }
    }
  }
}
