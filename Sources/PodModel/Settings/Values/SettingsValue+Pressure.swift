extension SettingsValue {
  /// A part of a whole, `10%`, as 0–1.
  public static func share(_ text: String) throws(ValueError) -> Double {
    guard text.utf8.last == UInt8(ascii: "%"), let percent = decimal(text.utf8.dropLast()), percent <= 100
    else {
      throw ValueError("\(quoted(text)) is not a whole percentage from 0% to 100%")
    }
    return Double(percent) / 100
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
