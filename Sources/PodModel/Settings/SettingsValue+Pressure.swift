extension SettingsValue {
  /// A part of a whole, `10%`, as 0–1.
  public static func share(_ text: String) throws(ValueError) -> Double {
    guard text.utf8.last == UInt8(ascii: "%"), let percent = decimal(text.utf8.dropLast()), percent <= 100 else {
      throw ValueError("\(quoted(text)) is not a whole percentage from 0% to 100%")
    }
    return Double(percent) / 100
  }

  /// A pressure trigger's window: 500 ms to 10 s (kernel, psi.rst).
  public static func pressureWindow(_ text: String) throws(ValueError) -> UInt64 {
    let window = try interval(text)
    guard (500_000...10_000_000).contains(window) else {
      throw ValueError("\(quoted(text)) is not a time from 500ms to 10s, which is what the kernel measures")
    }
    return window
  }

  /// `ShortageAction=`.
  public static func shortageAction(_ text: String) throws(ValueError) -> Shortage.Action {
    guard let action = Shortage.Action(rawValue: text) else {
      let known = Shortage.Action.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValueError("\(quoted(text)) is none of \(known)")
    }
    return action
  }
}
