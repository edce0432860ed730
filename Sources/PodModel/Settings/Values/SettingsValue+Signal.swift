extension SettingsValue {
  /// A signal by name with or without `SIG`, by number, or as `RTMIN+n`/`RTMAX-n` (signal(7)).
  public static func signal(_ text: String) throws(ValueError) -> Int32 {
    if let number = decimal(text.utf8), (1...64).contains(number) { return Int32(number) }
    let name = text.hasPrefix("SIG") ? String(text.dropFirst(3)) : text
    if let number = signalNumbers[name] { return number }
    if let offset = realTimeOffset(name, after: "RTMIN+") { return 34 + offset }
    if let offset = realTimeOffset(name, after: "RTMAX-") { return 64 - offset }
    throw ValueError("\(quoted(text)) is not a signal, such as SIGTERM, TERM or 15")
  }

  /// A signal's name without `SIG`; its number where it has none.
  public static func signalName(_ number: Int32) -> String {
    if let name = signalNames[number] { return name }
    return (34...64).contains(number) ? "RTMIN+\(number - 34)" : String(number)
  }

  private static func realTimeOffset(_ name: String, after prefix: String) -> Int32? {
    guard name.hasPrefix(prefix), let offset = decimal(name.utf8.dropFirst(prefix.utf8.count)),
      offset <= 30
    else { return nil }
    return Int32(offset)
  }

  private static let signalNames: [Int32: String] = [
    1: "HUP", 2: "INT", 3: "QUIT", 4: "ILL", 5: "TRAP", 6: "ABRT", 7: "BUS", 8: "FPE", 9: "KILL",
    10: "USR1", 11: "SEGV", 12: "USR2", 13: "PIPE", 14: "ALRM", 15: "TERM", 16: "STKFLT", 17: "CHLD",
    18: "CONT", 19: "STOP", 20: "TSTP", 21: "TTIN", 22: "TTOU", 23: "URG", 24: "XCPU", 25: "XFSZ",
    26: "VTALRM", 27: "PROF", 28: "WINCH", 29: "IO", 30: "PWR", 31: "SYS",
  ]

  /// The numbers of every architecture that both Debian and Swift run on; `RTMIN` is glibc's.
  private static let signalNumbers: [String: Int32] = {
    var numbers: [String: Int32] = ["IOT": 6, "POLL": 29, "RTMIN": 34, "RTMAX": 64]
    for (number, name) in signalNames { numbers[name] = number }
    return numbers
  }()
}
