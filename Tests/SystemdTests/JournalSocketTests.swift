import Glibc
import Testing

@testable import Systemd

/// A stand-in for journald that takes nothing until it is asked to.
@Suite(.timeLimit(.minutes(10))) struct JournalSocketTests {
  @Test func aJournaldThatTakesNothingMakesNobodyWait() throws {
    let scratch = try Scratch()
    let journald = try DatagramSocket(at: "\(scratch.path)/socket")
    let sender = JournalSocket(path: "\(scratch.path)/socket")
    let count = 3000
    for number in 0..<count { sender.send(Journal.entry([("MESSAGE", "\(number)")])) }
    // All of them, in order.
    for number in 0..<count { #expect(try journald.text() == "MESSAGE=\(number)\n") }
  }

  @Test func whatThereIsNoRoomForIsCounted() throws {
    let scratch = try Scratch()
    let journald = try DatagramSocket(at: "\(scratch.path)/socket")
    let sender = JournalSocket(path: "\(scratch.path)/socket")
    let entry = Journal.entry([("MESSAGE", String(repeating: "x", count: 16_000))])
    let count = 1000
    for _ in 0..<count { sender.send(entry) }
    var taken = 0
    var summary = ""
    while summary.isEmpty {
      let text = try journald.text()
      if text.hasPrefix("MESSAGE=x") { taken += 1 } else { summary = text }
    }
    #expect(
      summary
        == "MESSAGE=\(count - taken) entries were dropped while journald did not take any.\nPRIORITY=4\n")
  }

  @Test func withoutAJournaldAnEntryIsDropped() throws {
    let scratch = try Scratch()
    JournalSocket(path: "\(scratch.path)/socket").send(Journal.entry([("MESSAGE", "x")]))
  }
}
