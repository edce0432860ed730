import PodAPI
import PodModel
import Testing

@testable import PodctlCore

@Suite struct JournalTests {
  @Test func theExportFormatKeepsLinesAndBytes() {
    var bytes = Array("__REALTIME_TIMESTAMP=1000042\nPOD=pod-001\n_PID=7\nMESSAGE\n".utf8)
    bytes += [4, 0, 0, 0, 0, 0, 0, 0] + Array("a\n=b".utf8) + [0x0A]
    bytes += Array("\nMESSAGE=second\nMESSAGE=again\n\n".utf8)
    let entries = JournalEntry.parse(export: bytes)
    #expect(entries.count == 2)
    #expect(
      entries.first?.logJSON.text
        == #"{"time":"1970-01-01T00:00:01.000042Z","pod":"pod-001","user":null,"unit":null,"#
        + #""identifier":null,"pid":7,"priority":null,"message":"a\n=b"}"#)
    #expect(entries.last?["MESSAGE"] == "second")
  }

  @Test(
    arguments: [
      [0x41, 0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x0A], [0x41, 0x0A, 1, 0], [0x0A, 0x0A],
      [0x41], [],
    ] as [[UInt8]])
  func incompleteAndMalformedEntriesAreDropped(bytes: [UInt8]) {
    #expect(JournalEntry.parse(export: bytes).isEmpty)
  }

  @Test func anEventNamesThePodAndTheReason() {
    let entry = JournalEntry.parse(
      export: Array("POD=pod-001\nPOD_REASON=oom-own-limit\nPOD_GENERATION=3\nMESSAGE=x\n\n".utf8))
    #expect(entry.first?.eventJSON.text.contains(#""pod":"pod-001","user":null"#) == true)
    #expect(
      entry.first?.eventJSON.text.contains(#""generation":3,"state":null,"reason":"oom-own-limit""#) == true)
  }

  @Test func commandsRunJournalctl() throws {
    var query = JournalQuery.user(try UserName(validating: "alice@example.com"), pod: "pod-001")
    query.follow = true
    query.lines = 5
    #expect(
      query.command == [
        "journalctl", "--quiet", "--follow", "--lines", "5", "POD=pod-001", "_UID=0",
        "_UID=1900000001", "+", "POD_USER=alice@example.com", "_SYSTEMD_UNIT=podd.service", "_UID=0",
        "SYSLOG_IDENTIFIER=podd",
      ])
    #expect(JournalQuery.events.exportCommand.contains("_UID=0"))
  }
}
