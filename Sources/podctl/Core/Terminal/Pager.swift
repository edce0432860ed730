internal import Glibc

/// `less`, as systemd's tools use it (systemctl(1), "Environment": SYSTEMD_PAGER, SYSTEMD_LESS).
enum Pager {
  static func isWanted(for content: String, style: Style) -> Bool {
    guard variable("TERM") != "dumb", content.utf8.lazy.filter({ $0 == 0x0A }).count >= style.lines
    else { return false }
    let chosen = variable("SYSTEMD_PAGER") ?? variable("PAGER")
    return chosen != "" && chosen != "cat"
  }

  /// Shows the content; writes it plainly when no pager can be started.
  static func show(_ content: String) {
    setenv("LESS", variable("SYSTEMD_LESS") ?? "FRSXMK", 1)
    setenv("LESSCHARSET", variable("SYSTEMD_LESSCHARSET") ?? "utf-8", 1)
    var commands: [[String]] = []
    if isSecure {
      // less that runs as root through sudo must not offer a root shell.
      setenv("LESSSECURE", "1", 1)
      commands = [["less"]]
    } else {
      if let chosen = variable("SYSTEMD_PAGER") ?? variable("PAGER") {
        commands.append(chosen.split(separator: " ").map(String.init))
      }
      commands += [["pager"], ["less"], ["more"]]
    }
    // The user may quit the pager before it has read everything.
    signal(SIGPIPE, SIG_IGN)
    for command in commands where !command.isEmpty {
      if Child.feed(Array(content.utf8), to: command) { return }
    }
    Output.write(Array(content.utf8))
  }

  private static var isSecure: Bool {
    switch variable("SYSTEMD_PAGERSECURE")?.lowercased() {
    case "1", "yes", "true", "on": true
    case "0", "no", "false", "off": false
    default: geteuid() == 0 && variable("SUDO_UID") != nil
    }
  }

  private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
