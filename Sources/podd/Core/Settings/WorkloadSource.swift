import Linux
import PodModel
import PodStore

/// A workload and the text that it was read from, shared by all generations that were launched with it.
final class WorkloadSource: Sendable {
  let workload: Workload
  /// The file and its drop-ins, one after the other.
  let text: String
  let version: String

  init(workload: Workload, text: String) {
    self.workload = workload
    self.text = text
    version = Self.version(of: text)
  }

  /// The workload that a generation was launched with.
  convenience init(_ version: WorkloadVersion) throws(SettingsError) {
    let fragment = SettingsFragment(path: version.workload + ".conf", contents: Array(version.text.utf8))
    self.init(
      workload: try WorkloadFile.parse(name: version.workload, fragments: [fragment]), text: version.text)
  }

  var record: WorkloadVersion { WorkloadVersion(workload: workload.name, version: version, text: text) }

  /// A file may open a section again, so the text means the same as its parts in this order.
  static func text(of fragments: [SettingsFragment]) -> String {
    fragments.map { "# \($0.path)\n" + String(decoding: $0.contents, as: UTF8.self) }.joined(separator: "\n")
  }

  /// A name, not a secret.
  static func version(of text: String) -> String { String(stableHash(of: text), radix: 16) }
}
