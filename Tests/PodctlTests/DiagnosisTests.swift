import HostCheck
import PodAPI
import PodModel
import Systemd
import Testing

@testable import PodctlCore

@Suite struct DiagnosisTests {
  private let checks = [
    Check(id: "cgroup-v2", title: "cgroup v2", finding: nil),
    Check(
      id: "psi", title: "PSI",
      finding: Finding(id: "psi", severity: .fatal, what: "No pressure.", fix: "Boot with psi=1.")),
  ]

  @Test func oneLineACheckWithTheWayOut() {
    #expect(Diagnosis.page(checks, Style()) == "* cgroup v2\nx psi: No pressure. Boot with psi=1.\n")
  }

  @Test func jsonSaysWhetherTheHostIsFit() {
    #expect(
      Diagnosis.json(checks).text
        == #"{"fit":false,"checks":[{"id":"cgroup-v2","status":"ok","what":"cgroup v2","mend":null},"#
        + #"{"id":"psi","status":"fatal","what":"No pressure.","mend":"Boot with psi=1."}]}"#)
  }

  @Test func aViolationIsALineAndATerminalShowsThatThereIsNone() {
    #expect(Diagnosis.page(violations: ["pod-001 is \u{1B}odd", "b"], Style()) == "pod-001 is ?odd\nb\n")
    #expect(Diagnosis.page(violations: [], Style()) == "")
    var terminal = Style()
    terminal.isTerminal = true
    #expect(Diagnosis.page(violations: [], terminal) == "* All invariants hold.\n")
    #expect(Diagnosis.page(violations: ["b"], terminal) == "x b\n")
  }

  @Test func aSilentPoddAndUnloadedRulesAreFound() {
    let silent = Diagnosis.service { () throws(CallError) in
      throw CallError(name: "org.freedesktop.DBus.Error.ServiceUnknown", message: "", status: .unreachable)
    }
    #expect(silent.first?.finding?.fix.contains("systemctl status podd.service") == true)
    let unloaded = Diagnosis.service { () throws(CallError) in Properties([("FirewallLoaded", .bool(false))])
    }
    #expect(unloaded.map { $0.finding?.id } == [nil, "firewall"])
  }

  @Test func theFrontDoorsUnitsAreFoundUnlessTheyRun() {
    func ids(_ states: [String: String]) -> [String?] {
      Diagnosis.frontUnits { _ throws(CallError) in states }.map(\.finding?.what)
    }
    let running = [
      "podctl-front.service": "active", "podgate.socket": "active", "podgate.service": "inactive",
    ]
    #expect(ids(running) == [nil, nil])
    #expect(ids([:]).compactMap(\.self).count == 2)
    let failed = running.merging(["podgate.service": "failed", "podctl-front.service": "failed"]) { $1 }
    #expect(
      ids(failed) == [
        "podctl-front.service is failed, so no request reaches a pod.", nil,
        "podgate.service is failed, so nobody decides on requests.",
      ])
  }

  @Test func whatPodgateHasCheckedIsShown() {
    let checks = Diagnosis.frontFiles(
      of: Array("front-keys\t2 keys\nfront-certificate\tIt ends.\tRenew it.\n\nx\n".utf8))
    #expect(checks.map(\.id) == ["front-keys", "front-certificate"])
    #expect(checks.map(\.finding?.description) == [nil, "It ends. Renew it."])
    #expect(Diagnosis.frontFiles(of: nil).isEmpty)
  }

  @Test func aPodWithAPersonsUserIDIsFound() {
    let clash: [(key: String, value: Variant)] = [
      ("Pod", .string("pod-007")), ("UID", .uint(1_900_000_007)), ("Account", .string("ivan")),
    ]
    let checks = Diagnosis.service { () throws(CallError) in
      Properties([("AccountClashes", .array([.dictionary(clash)]))])
    }
    #expect(
      checks.last?.finding?.what.contains("pod-007 runs as user id 1900000007, which belongs to ivan") == true
    )
    #expect(checks.last?.finding?.severity == .advice)
  }

  @Test func whatTheHostLacksForPodsIsFoundWithTheWayOut() throws {
    let fault = try #require(HostFault(.launchFailed(stage: .journal, error: "ECONNREFUSED")))
    let row = HostFaultRow(fault, pods: [PodName(number: 3)])
    let status = Properties([("HostFaults", .array([.dictionary(row.properties)]))])
    let checks = Diagnosis.service { () throws(CallError) in status }
    #expect(
      checks.last?.finding?.description
        == "pod-003 cannot be launched: the journal does not take the pod's output (journal: ECONNREFUSED)."
        + " Start it: systemctl start systemd-journald.socket systemd-journald.service. podd tries again by itself."
    )
    #expect(
      StatusPage.host(name: "web1", status, pods: [], users: 0, Style())
        .contains("Host: pod-003: the journal does not take the pod's output"))
  }
}
