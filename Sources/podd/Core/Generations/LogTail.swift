import PodModel
import Systemd
import Time

/// The last lines that a pod wrote to the journal, for the evidence of its end.
@LoopActor
enum LogTail {
  private static let journalctl = "/usr/bin/journalctl"
  /// Many pods may end at once; a wait here delays only the last lines of a record.
  private static let readers = AsyncSemaphore(2)
  /// A line that a process wrote as it ended may still be in journald's queue. --sync returns when everything that had
  /// come is in the file (journalctl(1)); under a flood podd does not wait that long.
  private static let written = Coalesced {
    await Command.run(journalctl, ["journalctl", "--sync"], timeout: .seconds(2))
  }

  /// The last lines that the processes of a unit wrote, oldest first; none when the journal cannot be read.
  ///
  /// - Parameters:
  ///   - unit: not for `journalctl --unit`, which also finds what PID 1 and others write about it.
  ///   - since: when it was begun: an older journal may have lines of another unit of that name, if the database was
  ///     made again. By the clock that nobody sets, within this boot, in which the unit has ended. Not for
  ///     `journalctl --since`, which takes wall time, and before systemd 254 takes `--lines` from there.
  static func lastLines(of unit: String, since: LoopTime, count: Int) async -> [String] {
    _ = await written.run()
    await readers.acquire()
    defer { readers.release() }
    // journald writes it without dashes.
    let boot = ProcessIdentity.bootID.filter { $0 != "-" }
    let words = [
      "journalctl", "--quiet", "--no-pager", "--output=export", "--output-fields=MESSAGE",
      "--lines=\(count)", "_SYSTEMD_UNIT=\(unit)", "_BOOT_ID=\(boot)",
    ]
    let output = await Command.output(of: journalctl, words, limit: 65_536, timeout: .seconds(5))
    let messages = JournalExport.messages(in: output ?? [], since: since)
    return LogExcerpt.lines(Array(messages.joined(separator: [0x0A])), count: count)
  }
}
