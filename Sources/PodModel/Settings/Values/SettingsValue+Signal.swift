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

  private static func realTimeOffset(_ name: String, after prefix: String) -> Int32? {
    guard name.hasPrefix(prefix), let offset = decimal(name.utf8.dropFirst(prefix.utf8.count)),
      offset <= 30
    else { return nil }
    return Int32(offset)
  }

  /// The numbers on every architecture that both Debian and Swift run on; `RTMIN` is glibc's. Linux.signalName(_:) is
  /// the way back, and a test compares both.
  private static let signalNumbers: [String: Int32] = [
    "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "IOT": 6, "BUS": 7, "FPE": 8, "KILL": 9,
    "USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "STKFLT": 16, "CHLD": 17,
    "CONT": 18, "STOP": 19, "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23, "XCPU": 24, "XFSZ": 25,
    "VTALRM": 26, "PROF": 27, "WINCH": 28, "IO": 29, "POLL": 29, "PWR": 30, "SYS": 31, "RTMIN": 34,
    "RTMAX": 64,
  ]
}
