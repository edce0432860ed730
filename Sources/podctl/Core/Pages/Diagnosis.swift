internal import HostCheck
internal import PodAPI

/// The checks that `doctor` adds to those of HostCheck, and its output.
enum Diagnosis {
  /// Checks podd, which the bus starts if it is not running.
  static func service(_ status: () throws(CallError) -> Properties) -> [Check] {
    do throws(CallError) {
      let properties = try status()
      let version = properties.string("Version").map { " \($0)" } ?? ""
      var checks = [Check(id: "podd", title: "podd\(version) is running", finding: nil)]
      if let loaded = properties.bool("FirewallLoaded") {
        let finding = Finding(
          id: "firewall", severity: .fatal,
          what: "The nftables rules that keep pods from opening connections are not loaded.",
          fix:
            "Load them: systemctl restart podctl-firewall.service; nft list table \(HostCheck.firewallTable)"
            + " shows them.")
        checks.append(
          Check(id: "firewall", title: "nftables rules for pods", finding: loaded ? nil : finding))
      }
      checks += properties.hostFaults.map { fault in
        let finding = Finding(
          id: "host-fault", severity: .fatal, what: "\(fault.subject) cannot be launched: \(fault.what).",
          fix: "\(fault.fix). podd tries again by itself.")
        return Check(id: "host-fault", title: "launches", finding: finding)
      }
      checks += properties.dictionaries("AccountClashes").map { clash in
        let pod = clash.string("Pod") ?? "", account = printable(clash.string("Account") ?? "")
        let finding = Finding(
          id: "uid", severity: .advice,
          what:
            "\(pod) runs as user id \(clash.uint("UID") ?? 0), which belongs to \(account): \(account) may signal and"
            + " trace its processes.",
          fix: "Give \(account) another id, or deprovision the users of \(pod) and provision them again.")
        return Check(id: "uid", title: "pods' user ids", finding: finding)
      }
      return checks
    } catch {
      return [
        Check(
          id: "podd", title: "podd is running",
          finding: Finding(
            id: "podd", severity: .fatal, what: "podd does not answer: \(error.name).",
            fix: "See why: systemctl status podd.service, journalctl -u podd.service."))
      ]
    }
  }

  /// One line per check. A finding may quote a settings file, so control characters are replaced.
  static func page(_ checks: [Check], _ style: Style) -> String {
    checks.map { check in
      guard let finding = check.finding else {
        return "\(style.paint(style.unicode ? "●" : "*", .green)) \(printable(check.title))\n"
      }
      let fatal = finding.severity == .fatal
      let mark = style.unicode ? (fatal ? "×" : "●") : (fatal ? "x" : "!")
      return "\(style.paint(mark, fatal ? .red : .yellow)) \(finding.id): \(printable(finding.description))\n"
    }.joined()
  }

  /// One line per violation, in podd's words; on a terminal, also a line if there is none.
  static func page(violations: [String], _ style: Style) -> String {
    guard style.isTerminal else { return violations.map { printable($0) + "\n" }.joined() }
    if violations.isEmpty { return "\(style.dot(state: "ready")) All invariants hold.\n" }
    return violations.map { "\(style.dot(state: "crash-loop")) \(printable($0))\n" }.joined()
  }

  /// `{"fit":…,"checks":[{"id","status","what","mend"}]}`; status is `ok`, `advice` or `fatal`.
  static func json(_ checks: [Check]) -> JSON {
    .object([
      ("fit", .bool(!checks.contains { $0.finding?.severity == .fatal })),
      (
        "checks",
        .array(
          checks.map { check in
            .object([
              ("id", .string(check.id)),
              ("status", .string(check.finding?.severity.rawValue ?? "ok")),
              ("what", .string(check.finding?.what ?? check.title)),
              ("mend", .optional(check.finding?.fix)),
            ])
          })
      ),
    ])
  }
}
