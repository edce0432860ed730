import PodModel
import Systemd

/// What a pod said last, from the journal, for the evidence of its end.
@LoopActor
enum LogTail {
  private static let journalctl = "/usr/bin/journalctl"
  /// Many pods may end at once; who waits here delays nothing but a record's last lines.
  private static let readers = AsyncSemaphore(2)
  /// A line that a dying process wrote may still be on its way through journald. It answers this when all that
  /// had come is in the file (journalctl(1), --sync), except under a flood, and then it is not waited for.
  private static let written = Coalesced {
    await Command.run(journalctl, ["journalctl", "--sync"], timeoutUSec: 2_000_000)
  }

  /// The last lines that the processes of a unit wrote, oldest first; none when the journal cannot be read.
  ///
  /// - Parameters:
  ///   - unit: not for `journalctl --unit`, which also finds what PID 1 and others say about it.
  ///   - since: when it was begun (CLOCK_REALTIME, microseconds): an older journal may tell of another of that
  ///     name. Not for `journalctl --since`, which before systemd 254 takes `--lines` from there.
  static func lastLines(of unit: String, since: UInt64, count: Int) async -> [String] {
    _ = await written.run()
    await readers.acquire()
    defer { readers.release() }
    let words = [
      "journalctl", "--quiet", "--no-pager", "--output=export", "--output-fields=MESSAGE",
      "--lines=\(count)", "_SYSTEMD_UNIT=\(unit)",
    ]
    let output = await Command.output(of: journalctl, words, limit: 65_536, timeoutUSec: 5_000_000)
    let messages = JournalExport.messages(in: output ?? [], since: since)
    return LogExcerpt.lines(Array(messages.joined(separator: [0x0A])), count: count)
  }
}
