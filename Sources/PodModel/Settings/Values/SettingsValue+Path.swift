extension SettingsValue {
  /// An absolute path, simplified as systemd does it: without doubled or trailing slashes and `.`. `..` is refused.
  public static func absolutePath(_ text: String) throws(ValueError) -> String {
    guard text.utf8.first == UInt8(ascii: "/") else {
      throw ValueError("\(quoted(text)) is not an absolute path; start it with /")
    }
    // PATH_MAX counts the final NUL.
    guard text.utf8.count < 4096 else { throw ValueError("the path is longer than 4095 bytes") }
    guard !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
      throw ValueError("\(quoted(text)) holds a control character")
    }
    let parts = text.utf8.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
      .filter { $0 != "." }
    guard !parts.contains("..") else {
      throw ValueError("\(quoted(text)) holds ..; write the path that is meant")
    }
    return "/" + parts.joined(separator: "/")
  }

  /// A path of `ReadWritePaths=` and similar keys: absolute, with systemd's `-` before it when it may be absent.
  public static func optionalPath(_ text: String) throws(ValueError) -> String {
    guard text.utf8.first == UInt8(ascii: "-") else { return try absolutePath(text) }
    return "-" + (try absolutePath(String(text.dropFirst())))
  }

  /// `KEY=VALUE` of `Environment=`. Control characters other than tab and line feed are refused, as in
  /// systemd.
  public static func environmentAssignment(_ text: String) throws(ValueError) -> String {
    guard let equals = text.utf8.firstIndex(of: UInt8(ascii: "=")) else {
      throw ValueError("\(quoted(text)) has no '='; write KEY=VALUE, in quotes if it holds spaces")
    }
    let name = text.utf8[..<equals]
    let isName = name.allSatisfy { byte in
      let letter = byte | 0x20
      return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter) || isDigit(byte)
        || byte == UInt8(ascii: "_")
    }
    guard isName, let first = name.first, !isDigit(first) else {
      throw ValueError("\(quoted(text)) does not begin with a variable's name: letters, digits and _")
    }
    let isBad = { (byte: UInt8) in (byte < 0x20 && byte != 0x09 && byte != 0x0A) || byte == 0x7F }
    guard !text.utf8.contains(where: isBad) else {
      throw ValueError("\(quoted(text)) holds a control character")
    }
    return text
  }
}
