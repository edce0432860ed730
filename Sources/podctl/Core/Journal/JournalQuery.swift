internal import PodModel

/// A journalctl command line. journalctl is what administrators know: it pages, follows, merges
/// rotated files and checks who may read.
struct JournalQuery {
  /// Words of journalctl's match syntax; `+` is its "or".
  let matches: [String]
  var follow = false
  var lines: Int?
  var noPager = false

  /// A pod's own output, and podd's entries about it.
  static func pod(_ pod: String) -> JournalQuery { JournalQuery(matches: of(pod)) }

  /// Anybody may send entries with `POD=`, so the sender's uid counts, which journald takes from the kernel. It is the
  /// pod's or root's: podd's, and the pod's for its first lines, before journald knows that pod-launch became the pod.
  private static func of(_ pod: String) -> [String] {
    [match(.pod, pod), "_UID=0"] + (PodName(pod).map { ["_UID=\($0.uid)"] } ?? [])
  }

  /// The entries of a user's pod, and podd's entries about the user.
  static func user(_ user: UserName, pod: String?) -> JournalQuery {
    let own = [match(.user, user.text)] + events.matches
    return JournalQuery(matches: pod.map { of($0) + ["+"] + own } ?? own)
  }

  /// podd's entries. `_UID` and `_SYSTEMD_UNIT` come from the kernel and journald: no pod can forge them.
  static var events: JournalQuery {
    JournalQuery(matches: ["_SYSTEMD_UNIT=podd.service", "_UID=0", "SYSLOG_IDENTIFIER=podd"])
  }

  private static func match(_ field: JournalField, _ value: String) -> String { "\(field.rawValue)=\(value)" }

  init(matches: [String]) {
    self.matches = matches
  }

  /// journalctl's own output on this terminal.
  var command: [String] {
    var words = ["journalctl", "--quiet"]
    if noPager { words.append("--no-pager") }
    if follow { words.append("--follow") }
    if let lines { words += ["--lines", String(lines)] }
    return words + matches
  }

  /// The export format, which keeps every byte (systemd.io, Journal Export Formats).
  var exportCommand: [String] {
    var words = ["journalctl", "--quiet", "--no-pager", "--output=export"]
    if let lines { words += ["--lines", String(lines)] }
    return words + matches
  }

  /// For a status page: the last lines, plain.
  var tailCommand: [String] {
    ["journalctl", "--quiet", "--no-pager", "--output=short", "--lines", String(lines ?? 10)] + matches
  }
}
