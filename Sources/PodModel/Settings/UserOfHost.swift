/// `UserOfHost=`: which user the host name LABEL.DOMAIN belongs to, a name with `${LABEL}` in it.
public struct UserOfHost: Sendable, Equatable {
  private var before = ""
  private var after = ""

  /// The label itself is the user's name.
  public init() {}

  public init(_ text: String) throws(ValueError) {
    let placeholder = "${LABEL}"
    let parts = text.split(separator: placeholder, omittingEmptySubsequences: false)
    guard parts.count == 2 else {
      throw ValueError("\(quoted(text)) does not hold \(placeholder) exactly once")
    }
    (before, after) = (String(parts[0]), String(parts[1]))
    guard user(of: "a".utf8) != nil, !text.contains("$$") else {
      throw ValueError("\(quoted(text)) is no name of a user, whatever \(placeholder) is")
    }
  }

  /// - Parameter label: What a host name has before its first dot, in lower case.
  public func user(of label: some Collection<UInt8>) -> UserName? {
    guard (1...63).contains(label.count), !label.contains(UInt8(ascii: ".")) else { return nil }
    return try? UserName(validating: Array(before.utf8) + Array(label) + Array(after.utf8))
  }
}
