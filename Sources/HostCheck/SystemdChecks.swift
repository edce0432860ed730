extension HostCheck {
  func checkManager(_ tree: Tree) -> Check {
    let id = "systemd"
    // The directory is what sd_booted(3) checks. In a container it may come from the host, so PID 1 is checked too.
    let first = tree.read("proc/1/comm")?.split(separator: "\n").first.map(String.init)
    var finding: Finding?
    if !tree.exists("run/systemd/system") || (first != nil && first != "systemd") {
      finding = Finding(
        id: id, severity: .fatal,
        what: "systemd is not running as PID 1"
          + (first.flatMap { $0 == "systemd" ? nil : " (\($0) is)." } ?? "."),
        fix: "Boot the host with systemd: apt install systemd-sysv, then reboot.")
    }
    return Check(id: id, title: "systemd is PID 1", finding: finding)
  }

  func checkVersion(_ tree: Tree) -> Check {
    let id = "systemd-version"
    let version = systemdVersion.flatMap(Self.major) ?? Self.installedVersion(tree)
    var finding: Finding?
    if let version, version < Self.oldestSystemd {
      finding = Finding(
        id: id, severity: .fatal,
        what: "systemd is version \(version); pods need \(Self.oldestSystemd) or newer.",
        fix: "Upgrade to Debian 12 or newer.")
    }
    return Check(
      id: id, title: "systemd \(version.map(String.init) ?? "(version unknown)")", finding: finding)
  }

  /// `252` of `252.39-1~deb12u2` or `v257`.
  static func major(_ version: String) -> Int? {
    let digits = version.drop { $0 == "v" }.prefix { $0.isASCII && $0.isNumber }
    return Int(digits)
  }

  /// The number in the name of libsystemd-shared-NNN.so, wherever Debian put it.
  private static func installedVersion(_ tree: Tree) -> Int? {
    let architectures = tree.list("usr/lib").filter { $0.hasSuffix("-linux-gnu") }
    let places = ["usr/lib/systemd", "lib/systemd"] + architectures.map { "usr/lib/\($0)/systemd" }
    let stem = "libsystemd-shared-"
    return places.flatMap(tree.list).filter { $0.hasPrefix(stem) }
      .compactMap { major(String($0.dropFirst(stem.count))) }.max()
  }

  func checkBus(_ tree: Tree) -> Check {
    let id = "dbus"
    var finding: Finding?
    if !tree.exists("run/dbus/system_bus_socket") {
      finding = Finding(
        id: id, severity: .fatal,
        what: "There is no D-Bus system bus: /run/dbus/system_bus_socket is missing.",
        fix: "Install and start it: apt install dbus, then systemctl start dbus.socket.")
    }
    return Check(id: id, title: "D-Bus system bus", finding: finding)
  }

  func checkPolkit(_ tree: Tree) -> Check {
    let id = "polkit"
    let file = "share/dbus-1/system-services/org.freedesktop.PolicyKit1.service"
    var finding: Finding?
    if !tree.exists("usr/\(file)") && !tree.exists("usr/local/\(file)") {
      finding = Finding(
        id: id, severity: .fatal,
        what: "polkit is not installed, so podd could not decide who may do what.",
        fix: "Install it: apt install polkitd.")
    } else if tree.exists("etc/systemd/system/polkit.service")
      && tree.read("etc/systemd/system/polkit.service")?.isEmpty == true
    {
      // A masked unit is a link to /dev/null, which reads as an empty file.
      finding = Finding(
        id: id, severity: .fatal,
        what: "polkit.service is masked, so podd could not decide who may do what.",
        fix: "Unmask it: systemctl unmask polkit.service.")
    }
    return Check(id: id, title: "polkit", finding: finding)
  }

  func checkNames(_ tree: Tree) -> Check {
    let id = "nss-systemd"
    let libraries =
      ["usr/lib", "lib"]
      + tree.list("usr/lib").filter { $0.hasSuffix("-linux-gnu") }.map { "usr/lib/\($0)" }
    var finding: Finding?
    if !libraries.contains(where: { tree.exists("\($0)/libnss_systemd.so.2") }) {
      finding = Finding(
        id: id, severity: .advice,
        what: "libnss-systemd is not installed, so ps and ls show pods' uids as numbers.",
        fix: "Install it: apt install libnss-systemd.")
    } else if !Self.passwdAsksSystemd(tree.read("etc/nsswitch.conf") ?? "") {
      finding = Finding(
        id: id, severity: .advice,
        what: "The passwd line of /etc/nsswitch.conf does not name systemd,"
          + " so ps and ls show pods' uids as numbers.",
        fix: "Make it \"passwd: files systemd\", and the group line likewise.")
    }
    return Check(id: id, title: "pods' uids have names (libnss-systemd)", finding: finding)
  }

  private static func passwdAsksSystemd(_ nsswitch: String) -> Bool {
    nsswitch.split(separator: "\n").contains { line in
      let words = line.prefix { $0 != "#" }.split(whereSeparator: { $0.isWhitespace || $0 == ":" })
      return words.first == "passwd" && words.dropFirst().contains("systemd")
    }
  }
}
