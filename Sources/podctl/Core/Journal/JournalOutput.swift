internal import ArgumentParser
internal import Glibc
internal import PodAPI

extension JournalQuery {
  /// Replaces podctl by journalctl, or prints one JSON array with `--json` and returns.
  func present(_ context: Context, _ element: (JournalEntry) -> JSON) throws {
    guard context.json else { throw Child.replaceProcess(command) }
    guard let (status, bytes) = Child.output(of: exportCommand) else {
      throw Failure("cannot run journalctl; is systemd installed?")
    }
    // journalctl has already printed the reason.
    guard status == 0 else { throw Failure("journalctl ended with status \(status)") }
    context.present(json: .array(JournalEntry.parse(export: bytes).map(element))) { _ in "" }
  }

  static func checkFollow(_ follow: Bool, _ context: Context) throws {
    if follow && context.json {
      throw ValidationError("--json prints one value and cannot follow; leave out --follow or --json")
    }
  }
}

extension Context {
  /// Runs the same verb on the other host when there is one; returns when there is none.
  func handOver(_ verb: [String]) throws {
    guard let host else { return }
    var words = verb
    if json { words.append("--json") }
    if noPager { words.append("--no-pager") }
    if noLegend { words.append("--no-legend") }
    throw Child.replaceProcess(
      Remote.command(host: host, arguments: words, terminal: !json && isatty(STDOUT_FILENO) != 0))
  }
}
