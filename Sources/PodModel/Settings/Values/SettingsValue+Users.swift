extension SettingsValue {
  /// Users by name or uid, separated by spaces. Whether a name exists is for the host to say.
  public static func users(_ text: String) throws(ValueError) -> [String]? {
    var users: [String] = []
    for word in text.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init) {
      guard isUser(word) else {
        throw ValueError("\(quoted(word)) is neither the name of a user nor a uid")
      }
      users.append(word)
    }
    return users.isEmpty ? nil : users
  }

  private static func isUser(_ word: String) -> Bool {
    if let uid = decimal(word.utf8) { return uid < UInt64(UInt32.max) }
    // As useradd(8) and systemd accept them.
    return word.utf8.count < 32 && word.utf8.first != UInt8(ascii: "-")
      && word.utf8.allSatisfy { byte in
        let letter = byte | 0x20
        return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter) || isDigit(byte)
          || [UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: ".")].contains(byte)
      }
  }
}
