internal import HostCheck
internal import PodAPI

/// The checks of the front door that HostCheck cannot do: it asks nobody and starts nothing.
extension Diagnosis {
  private static let front = "podctl-front.service", socket = "podgate.socket", gate = "podgate.service"

  /// Whether the units of podctl-gate run. podgate itself may wait until its socket needs it.
  static func frontUnits(_ states: ([String]) throws(CallError) -> [String: String]) -> [Check] {
    let found: [String: String]
    do throws(CallError) {
      found = try states([front, socket, gate])
    } catch {
      // The bus does not answer, as the check of podd has said.
      return []
    }
    var checks = [(front, "no request reaches a pod"), (socket, "nobody decides on requests")].map {
      unit, effect in
      unitCheck(unit, found[unit] ?? "inactive", fine: ["active", "activating", "reloading"], so: effect)
    }
    if found[gate] == "failed" {
      checks.append(unitCheck(gate, "failed", fine: [], so: "nobody decides on requests"))
    }
    return checks
  }

  private static func unitCheck(_ unit: String, _ state: String, fine: Set<String>, so effect: String)
    -> Check
  {
    let id = "front-units", title = "front door: \(unit) is \(state)"
    guard !fine.contains(state) else { return Check(id: id, title: title, finding: nil) }
    let finding = Finding(
      id: id, severity: .advice, what: "\(unit) is \(state), so \(effect).",
      fix: state == "failed"
        ? "See why: systemctl status \(unit), journalctl -u \(unit); then: systemctl restart \(unit)."
        : "Start it: systemctl enable --now \(unit); systemctl status \(unit) says what it waits for.")
    return Check(id: id, title: title, finding: finding)
  }

  /// What `podgate check` prints: a line for each check, with tabs between its id, what it says and the way out of
  /// what is wrong.
  /// - Parameter output: nil if podgate cannot be started.
  static func frontFiles(of output: [UInt8]?) -> [Check] {
    guard let output else { return [] }
    return String(decoding: output, as: UTF8.self).split(separator: "\n").compactMap { line in
      let fields = line.split(separator: "\t").map(String.init)
      guard fields.count > 1 else { return nil }
      let finding =
        fields.count > 2
        ? Finding(id: fields[0], severity: .advice, what: fields[1], fix: fields[2]) : nil
      return Check(id: fields[0], title: fields[1], finding: finding)
    }
  }
}
