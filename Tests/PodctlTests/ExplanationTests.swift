import PodAPI
import Systemd
import Testing
import Time
import TimeLiterals

@testable import PodctlCore

@Suite struct ExplanationTests {
  private static let second: UInt64 = 1_000_000

  private func pod(_ further: [(key: String, value: Variant)]) -> Properties {
    var row = PodRow(
      pod: "pod-001", tier: "free", state: "backoff", address: "127.77.0.1", frontAddress: "127.76.0.1",
      port: 10001)
    row.memoryCurrent = 4_300_000
    row.memoryMax = 96 << 20
    return Properties(row.properties + further)
  }

  private func full() -> Properties {
    pod([
      ("StateReason", .string("waits before the next launch")),
      ("NextEvent", .string("launches generation 3")), ("NextEventTimestamp", .uint(125 * Self.second)),
      ("ProbeFailures", .uint(2)), ("ProbeFailuresMax", .uint(3)),
      ("LastProbeError", .string("connection refused")), ("LastProbeTimestamp", .uint(110 * Self.second)),
      ("Connections", .uint(0)),
      (
        "Transitions",
        .array([
          .dictionary([
            ("Timestamp", .uint(61 * Self.second)), ("From", .string("ready")), ("To", .string("backoff")),
            ("Event", .string("ended")), ("Reason", .string("")),
          ])
        ])
      ),
      (
        "Generations",
        .array([
          .dictionary([
            ("Unit", .string("pod-001-2.scope")), ("StartTimestamp", .uint(60 * Self.second)),
            ("ReadyTimestamp", .uint(60 * Self.second + 250_000)), ("EndTimestamp", .uint(61 * Self.second)),
            ("Reason", .string("oom-own-limit")),
            (
              "Evidence",
              .string(
                #"{"exit":"signal:KILL","oom_kills":1,"own_limit_ooms":3,"memory_max":100663296,"#
                  + #""memory_current":100000000,"log":["x","a, \"b\": \u001b[31m"],"later":7}"#)
            ),
          ]),
          .dictionary([
            ("Unit", .string("pod-001-1.scope")), ("StartTimestamp", .uint(0)), ("EndTimestamp", .uint(0)),
            ("Reason", .string("")), ("Evidence", .string("")),
          ]),
        ])
      ),
    ])
  }

  @Test func scriptsGetEveryKey() throws {
    #expect(
      try #require(Explanation(full())).json.text
        == #"{"pod":"pod-001","state":"backoff","since":null,"why":"waits before the next launch","#
        + #""probe":{"failures":2,"failures_max":3,"last_error":"connection refused","#
        + #""last_at":"1970-01-01T00:01:50Z"},"memory_current":4300000,"memory_max":100663296,"leak":null,"#
        + #""memory_trend":null,"connections":0,"shortage":null,"#
        + #""transitions":[{"at":"1970-01-01T00:01:01Z","from":"ready","to":"backoff","event":"ended","#
        + #""reason":null}],"generations":[{"unit":"pod-001-2.scope","started":"1970-01-01T00:01:00Z","#
        + #""ready":"1970-01-01T00:01:00Z","ended":"1970-01-01T00:01:01Z","reason":"oom-own-limit","#
        + #""evidence":{"exit":"signal:KILL","oom_kills":1,"own_limit_ooms":3,"oomd_kills":null,"#
        + #""unit_result":null,"adopted":null,"#
        + #""memory_current":100000000,"memory_peak":null,"memory_max":100663296,"probe_error":null,"#
        + #""cut_connections":null,"log":["x","a, \"b\": \u001b[31m"],"later":7}},{"unit":"pod-001-1.scope","#
        + #""started":null,"ready":null,"ended":null,"reason":null,"evidence":null}],"#
        + #""next":{"event":"launches generation 3","at":"1970-01-01T00:02:05Z"}}"#)
  }

  @Test func valuesThatAnOlderPoddLacksAreNull() throws {
    #expect(
      try #require(Explanation(pod([]))).json.text
        == #"{"pod":"pod-001","state":"backoff","since":null,"why":null,"probe":{"failures":null,"#
        + #""failures_max":null,"last_error":null,"last_at":null},"memory_current":4300000,"#
        + #""memory_max":100663296,"leak":null,"memory_trend":null,"connections":null,"shortage":null,"#
        + #""transitions":[],"generations":[],"next":null}"#)
    #expect(Explanation(Properties([("Pod", .string("pod-001"))])) == nil)
  }

  @Test func thePageIsTextWithoutControlCharacters() throws {
    var style = Style()
    style.now = .epoch + .minutes(2)
    let page = try #require(Explanation(full())).page(style)
    #expect(!page.utf8.contains(0x1B))
    for line in [
      "      Probe: 2 of 3 failures in a row, last asked 10s ago: connection refused",
      "     Memory: 4.1M (max 96M)", "Connections: 0",
      "    signal:KILL, oom kills 1, own limit ooms 3, "
        + "memory 95.3M of 96M, later 7", "    | a, \"b\": ?[31m", "pod-001-1.scope: goes on",
    ] {
      #expect(page.contains(line + "\n"), "\(line)")
    }
    #expect(page.contains("Next: launches generation 3; in 5s, "))
    #expect(page.contains("pod-001-2.scope: oom-own-limit, started "))
    #expect(page.contains(", ready after 250ms, ended 59s ago after 1s\n"))
    #expect(page.contains(" ready backoff ended -\n"))
  }

  @Test func aLeakIsShownWithItsFigures() throws {
    var style = Style()
    style.now = .epoch + .minutes(2)
    let leak: [(key: String, value: Variant)] = [
      ("LeakVerdict", .string("waiting")), ("LeakReason", .string("it grows")),
      ("LeakSinceTimestamp", .uint(110 * Self.second)), ("LeakSlope", .double(1_048_576)),
      ("LeakSlopeLow", .double(900)), ("LeakSlopeHigh", .double(2_097_152)),
      ("LeakTimeToLimitUSec", .uint(90 * Self.second)), ("LeakNext", .string("it is recycled: it is busy")),
      ("LeakNextTimestamp", .uint(130 * Self.second)),
    ]
    let explanation = try #require(Explanation(pod(leak)))
    #expect(
      explanation.page(style).contains(
        "       Leak: 1M/s (3M/h to 2M/s) since 10s ago, limit met in 1min 30s; it is recycled: it is busy, "
          + "at the latest in 10s\n"))
    #expect(
      explanation.json.text.contains(
        #""leak":{"verdict":"waiting","reason":"it grows","since":"1970-01-01T00:01:50Z","slope":1048576.0,"#
          + #""slope_low":900.0,"slope_high":2097152.0,"time_to_limit_seconds":90.0,"#
          + #""next":"it is recycled: it is busy","next_at":"1970-01-01T00:02:10Z"}"#))
    #expect(
      !(try #require(Explanation(pod([("LeakVerdict", .string("none"))]))).page(style).contains("Leak")))
  }

  @Test func evidenceLeavesOutZeroCountsAndTheReason() throws {
    func phrases(_ text: String, _ reason: String?) -> String? {
      RecordedEvidence(text)?.phrases(excluding: reason).joined(separator: "; ")
    }
    #expect(
      phrases(
        #"{"exit":"signal:KILL","oom_kills":1,"own_limit_ooms":3,"unit_result":"oom-kill","adopted":true}"#,
        "oom-own-limit") == "signal:KILL; oom kills 1; own limit ooms 3; unit result oom-kill; adopted")
    let left = #"{"exit":"exited:3","oom_kills":0,"own_limit_ooms":0,"unit_result":null,"adopted":false}"#
    #expect(phrases(left, "exited:3") == "")
    #expect(phrases(left, "operator") == "exited:3")
    #expect(
      phrases(#"{"probe_error":"no answer, thrice","cut_connections":1,"log":["a","b"]}"#, "health")
        == "probe: no answer, thrice; 1 connection cut")
    #expect(phrases(#"{"leak":{"slope":5.0,"reason":"it grows"}}"#, "leak") == "it grows")
    #expect(phrases(#"{"leak":null}"#, "leak") == "")
    #expect(phrases("status 1", nil) == nil)
  }
}
