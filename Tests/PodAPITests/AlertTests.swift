import PodAPI
import PodModel
import Testing
import Time
import TimeLiterals

@Suite struct AlertTests {
  private func text(_ kind: AlertKind, _ fields: [(String, String)]) -> String {
    Alert(kind, time: 1_795_251_758_000_042, host: "h1", fields: fields).text
  }

  @Test func anAlertIsOneLineWithTheKeysOfEvents() {
    #expect(
      text(
        .end,
        [
          ("POD", "pod-001"), ("POD_TIER", "free"), ("POD_STATE", "ready"), ("POD_GENERATION", "3"),
          ("POD_REASON", "signal:SEGV"), ("POD_UNIT", "pod-001-3.scope"), ("MESSAGE", "two\nlines"),
          ("POD_STATE", "backoff"), ("POD_CONNECTIONS", "4"),
        ])
        == #"{"time":"2026-11-21T09:02:38.000042Z","host":"h1","kind":"end","pod":"pod-001","user":null,"#
        + #""tier":"free","generation":3,"state":"backoff","reason":"signal:SEGV","unit":"pod-001-3.scope","#
        + #""message":"two\nlines","connections":"4"}"# + "\n")
  }

  @Test func whatAnEventDoesNotHaveIsNull() {
    #expect(
      text(.firewallLost, [])
        == #"{"time":"2026-11-21T09:02:38.000042Z","host":"h1","kind":"firewall-lost","pod":null,"#
        + #""user":null,"tier":null,"generation":null,"state":null,"reason":null,"unit":null,"message":null}"#
        + "\n")
  }

  @Test func kindsAreInstanceNames() {
    #expect(AlertKind.crashLoop.unit == "podctl-alert@crash-loop.service")
    for kind in AlertKind.allCases {
      #expect(kind.rawValue.allSatisfy { $0 == "-" || ("a"..."z").contains($0) })
    }
  }
}
