/// What is done about a pod that leaks: `LeakAction=` in podd.conf(5) and podctl-tier(5).
public enum LeakAction: String, Sendable, CaseIterable {
  /// The pod is recycled before it meets its limit.
  case recycle
  /// The leak is reported and nothing else is done: a dry run.
  case alert
  /// Nothing is done, as if there were no detector.
  case ignore = "none"
}

extension SettingsValue {
  static func leakAction(_ text: String) throws(ValueError) -> LeakAction {
    guard let action = LeakAction(rawValue: text) else {
      throw ValueError("\(quoted(text)) is none of recycle, alert and none")
    }
    return action
  }
}
