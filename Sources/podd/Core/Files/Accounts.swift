import Glibc
import Linux
import PodModel
import PodStore
import Systemd
import Time

/// The accounts of this host, as far as podd has to stay out of their way: a pod's user id must not be a person's.
///
/// A directory service may give people any id (SSSD, FreeIPA). podd asks it through getent(1), a process of its own: a
/// directory that does not answer must not stop podd's loop, nor leave a hanging thread. With files alone, as Debian
/// installs it, podd reads them itself.
@LoopActor
enum Accounts {
  /// How long a directory may take. After that podd goes on without it, as everybody else on the host does.
  private static let patience: Microseconds = .seconds(5)
  private static let getent = "/usr/bin/getent"
  /// Sources that are files of this host, or systemd's own records, among them those of pods.
  nonisolated private static let local: Set<Substring> = ["files", "systemd", "compat"]

  /// The account or group that has this id; nil if it is nobody's, or the pod's own record.
  static func owner(ofID id: UInt32, exceptFor pod: PodName) async -> String? {
    await owners(of: [(id: id, pod: pod)])[pod]
  }

  /// Those of several pods, with one look at the accounts.
  static func owners(of pods: [(id: UInt32, pod: PodName)]) async -> [PodName: String] {
    var found: [PodName: String] = [:]
    let nsswitch = readSmallFile("/etc/nsswitch.conf") ?? ""
    for database in ["passwd", "group"] {
      var lists = [readSmallFile("/etc/\(database)", limit: 4 << 20) ?? ""]
      if asksDirectory(nsswitch, database) {
        let words = ["getent", database] + pods.map { String($0.id) }
        // Status 2: one of them is nobody's.
        let output = await Command.output(
          of: getent, words, limit: 1 << 20, timeout: patience, accepting: [0, 2])
        lists.append(String(decoding: output ?? [], as: UTF8.self))
      }
      for (id, pod) in pods where found[pod] == nil {
        found[pod] = lists.lazy.compactMap { name(ofID: id, in: $0) }.first { $0 != pod.description }
      }
    }
    return found
  }

  /// The name in a list in the format of passwd(5) or group(5).
  nonisolated static func name(ofID id: UInt32, in list: String) -> String? {
    let wanted = String(id)
    for line in list.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 3, omittingEmptySubsequences: false)
      if fields.count > 2, fields[2] == wanted { return String(fields[0]) }
    }
    return nil
  }

  /// Whether a line of nsswitch.conf(5) names anything but files and systemd's records.
  nonisolated static func asksDirectory(_ nsswitch: String, _ database: String) -> Bool {
    for line in nsswitch.split(separator: "\n") {
      var isAction = false
      let words = line.prefix { $0 != "#" }.split(whereSeparator: { $0.isWhitespace || $0 == ":" })
      guard words.first == database[...] else { continue }
      for word in words.dropFirst() {
        // `[NOTFOUND=return]` is what to do, not whom to ask.
        if word.hasPrefix("[") { isAction = true }
        if !isAction && !local.contains(word) { return true }
        if word.hasSuffix("]") { isAction = false }
      }
    }
    return false
  }
}
