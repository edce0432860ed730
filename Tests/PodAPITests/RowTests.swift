import PodAPI
import PodModel
import Systemd
import Testing
import Time
import TimeLiterals

@Suite struct RowTests {
  private func row() -> PodRow {
    var row = PodRow(
      pod: "pod-001", tier: "free", state: "ready", address: "127.77.0.1", frontAddress: "127.76.0.1",
      port: 10001)
    row.unit = "pod-001-3.scope"
    row.mainPID = 4242
    row.users = 20
    row.generation = 3
    row.memoryMax = 100_663_296
    row.since = .epoch + .seconds(1)
    return row
  }

  @Test func podsHaveTheContractsKeysInItsOrder() {
    #expect(
      row().json.text
        == #"{"pod":"pod-001","tier":"free","state":"ready","unit":"pod-001-3.scope","main_pid":4242,"#
        + #""address":"127.77.0.1","front_address":"127.76.0.1","port":10001,"users":20,"generation":3,"#
        + #""restarts":0,"memory_current":null,"memory_anon":null,"memory_max":100663296,"#
        + #""last_exit_reason":null,"since":"1970-01-01T00:00:01Z"}"#)
  }

  @Test func aColdPodHasNoUnitAndNoProcess() {
    let row = PodRow(
      pod: "pod-002", tier: "pro", state: "cold", address: "127.77.0.2", frontAddress: "127.76.0.2",
      port: 10002)
    #expect(row.json.text.contains(#""unit":null,"main_pid":null"#))
    #expect(row.json.text.contains(#""since":null"#))
  }

  @Test func usersHaveTheContractsKeys() {
    var row = UserRow(
      user: "a@b", tier: "free", pod: "pod-001", state: "ready", dataBytes: nil, status: "active")
    #expect(
      row.json.text
        == #"{"user":"a@b","tier":"free","pod":"pod-001","state":"ready","data_bytes":null,"status":"active","#
        + #""last_used":null}"#)
    row.lastUsed = .epoch + .seconds(1)
    #expect(row.json.text.hasSuffix(#""last_used":"1970-01-01T00:00:01Z"}"#))
    // What `status USER` adds to the row has no second name for it.
    #expect(Properties(row.properties).jsonMembers().map(\.key) == row.jsonMembers.map(\.key))
  }

  @Test func provisionHasTheContractsKeys() {
    let placement = Placement(
      user: "a", tier: "free", pod: "pod-001", unit: nil, address: "127.77.0.1",
      frontAddress: "127.76.0.1", port: 10001, state: "cold", created: true)
    #expect(
      placement.json.text
        == #"{"user":"a","tier":"free","pod":"pod-001","unit":null,"address":"127.77.0.1","#
        + #""front_address":"127.76.0.1","port":10001,"state":"cold","created":true}"#)
  }

  @Test func aSettingsMistakeSurvivesItsProperties() {
    let mistakes = [
      SettingsMistake(.podd, SettingsError(file: "/p", message: "a")),
      SettingsMistake(.tier("free"), SettingsError(file: "/f", line: 3, key: "Max", message: "b")),
      SettingsMistake(.workload("app"), SettingsError(file: "/w", line: 1, message: "c")),
    ]
    let status = Properties([
      ("SettingsMistakes", .array(mistakes.map { .dictionary($0.properties) } + [.dictionary([])]))
    ])
    #expect(status.settingsMistakes == mistakes)
    #expect(Properties([]).settingsMistakes == [])
  }

  @Test func aHostFaultSurvivesItsProperties() throws {
    let fault = try #require(HostFault(.launchFailed(stage: .journal, error: "ECONNREFUSED")))
    let row = HostFaultRow(fault, pods: [PodName(number: 1), PodName(number: 2)])
    let status = Properties([("HostFaults", .array([.dictionary(row.properties), .dictionary([])]))])
    #expect(status.hostFaults == [row] && row.subject == "2 pods")
    #expect(row.reason == "launch-failed:journal:ECONNREFUSED")
    #expect(HostFault(.launchFailed(stage: .exec, error: "ENOENT")) == nil && HostFault(.exited(1)) == nil)
    #expect(HostFault(nil) == nil)
  }

  @Test func aRowSurvivesItsProperties() {
    #expect(PodRow(Properties(row().properties)) == row())
    var user = UserRow(user: "a", tier: "pro", pod: nil, state: nil, dataBytes: 0, status: "deleted")
    #expect(UserRow(Properties(user.properties)) == user)
    user.lastUsed = 5
    #expect(UserRow(Properties(user.properties)) == user)
    #expect(PodRow(Properties([("Tier", .string("free"))])) == nil)
  }

  @Test func timesAreUnsignedIntegersWithAValueForNone() {
    #expect(Variant.time(.epoch + .seconds(1)) == .uint(1_000_000) && Variant.time(nil) == .uint(0))
    #expect(Variant.span(.seconds(1)) == .uint(1_000_000) && Variant.span(nil) == .uint(.max))
    let properties = Properties([
      ("Since", .time(.epoch + .seconds(1))), ("EndTimestamp", .time(nil)), ("WaitUSec", .span(.seconds(2))),
      ("RestUSec", .span(nil)), ("NoneUSec", .span(.zero)),
    ])
    #expect(properties.time("Since") == .epoch + .seconds(1) && properties.time("EndTimestamp") == nil)
    #expect(properties.span("WaitUSec") == .seconds(2) && properties.span("RestUSec") == nil)
    #expect(properties.span("NoneUSec") == .zero && properties.time("Missing") == nil)
  }

  @Test func propertiesThatPodctlDoesNotKnowStillReadWell() {
    let properties = Properties([
      ("MainPID", .uint(0)), ("CPUUsageNSec", .uint(1_500_000_000)), ("MemoryHigh", .uint(UInt64.max)),
      ("CPUQuotaPerSecUSec", .uint(500_000)), ("ActiveEnterTimestamp", .uint(1_000_000)),
      ("NPods", .uint(3)), ("NextRetryUSec", .uint(UInt64.max)), ("UserNames", .array([.string("a")])),
      ("PodStates", .dictionary([("crash-loop", .uint(1))])),
    ])
    #expect(
      JSON.object(properties.jsonMembers()).text
        == #"{"main_pid":null,"cpu_usage_seconds":1.5,"memory_high":null,"cpu_quota":0.5,"#
        + #""active_enter_timestamp":"1970-01-01T00:00:01Z","pods":3,"next_retry_seconds":null,"#
        + #""user_names":["a"],"pod_states":{"crash_loop":1}}"#)
  }

  @Test func exitStatusesAreTheContracts() {
    let expected: [(String, SysExit)] = [
      ("org.podctl1.Error.InvalidUser", .usage), ("org.podctl1.Error.NoSuchTier", .usage),
      ("org.podctl1.Error.Busy", .temporary), ("org.podctl1.Error.LaunchFailed", .failed),
      ("org.podctl1.Error.RolloutStopped", .failed),
      ("org.podctl1.Error.SomethingNew", .failed),
      ("org.freedesktop.DBus.Error.AccessDenied", .denied),
      ("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", .denied),
      ("org.freedesktop.DBus.Error.ServiceUnknown", .unreachable),
      ("org.freedesktop.DBus.Error.NoReply", .unreachable),
      ("org.freedesktop.DBus.Error.Spawn.ChildExited", .unreachable),
      ("org.freedesktop.systemd1.UnitMasked", .unreachable), ("System.Error.ECONNREFUSED", .unreachable),
      ("org.freedesktop.DBus.Error.InvalidArgs", .failed),
    ]
    for (name, status) in expected { #expect(SysExit(errorName: name) == status, "\(name)") }
  }

  @Test func anErrorIsOneLineWithAWayOut() {
    let denied = CallError(BusError(name: "org.freedesktop.DBus.Error.AccessDenied", message: "no\nway"))
    #expect(denied.message == "not permitted: no way; be root or a member of group podctl")
    let gone = CallError(BusError(name: "org.freedesktop.DBus.Error.ServiceUnknown", message: "not there"))
    #expect(gone.message.contains("systemctl status podd.service"))
    #expect(gone.status == .unreachable)
  }
}
