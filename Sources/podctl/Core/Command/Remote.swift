/// Runs the other host's own podctl over ssh, for verbs that cannot use the bus.
enum Remote {
  /// `ssh [-t] [-p PORT] -- HOST podctl …`.
  static func command(host: String, arguments: [String], terminal: Bool) -> [String] {
    wrap(["podctl"] + arguments, host: host, terminal: terminal)
  }

  /// Any command on the other host, every word quoted for the remote shell.
  static func wrap(_ command: [String], host: String, terminal: Bool = false) -> [String] {
    var destination = host
    var options = terminal ? ["-xt"] : ["-xT"]
    // sd-bus takes host:port, ssh does not; an IPv6 address has more than one colon.
    if host.filter({ $0 == ":" }).count == 1, let colon = host.firstIndex(of: ":") {
      let port = host[host.index(after: colon)...]
      if !port.isEmpty, port.utf8.allSatisfy({ (48...57).contains($0) }) {
        destination = String(host[..<colon])
        options += ["-p", String(port)]
      }
    }
    return ["ssh"] + options + ["--", destination, command.map(shellQuoted).joined(separator: " ")]
  }

  /// One word for any POSIX shell.
  static func shellQuoted(_ word: String) -> String {
    let plain = word.utf8.allSatisfy {
      switch $0 {
      case 48...57, 65...90, 97...122, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
        UInt8(ascii: "/"), UInt8(ascii: "="), UInt8(ascii: "@"), UInt8(ascii: "+"):
        true
      default: false
      }
    }
    if plain && !word.isEmpty { return word }
    var text = "'"
    // By scalar: a quote with a combining mark is another Character, and still a quote to the shell.
    for scalar in word.unicodeScalars { text += scalar == "'" ? "'\\''" : String(scalar) }
    return text + "'"
  }
}
