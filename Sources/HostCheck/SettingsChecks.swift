internal import PodModel

extension HostCheck {
  /// The settings files, as podd would read them now. A finding for each mistake, or one check that passed.
  public func settings() -> [Check] {
    let id = "settings"
    let tree = Tree(root: root)
    let mistakes = SettingsSurvey.mistakes(
      root: "", physicalMemory: Self.physicalMemory(tree), names: { tree.list($0) },
      content: { tree.content($0, limit: 2 << 20) })
    let title = "settings files"
    guard !mistakes.isEmpty else { return [Check(id: id, title: title, finding: nil)] }
    return mistakes.map { mistake in
      let finding = Finding(
        id: id, severity: .fatal, what: "\(mistake).",
        fix:
          "Correct it, then: systemctl \(mistake.subject == .podd ? "reload-or-restart" : "reload") podd.service."
      )
      return Check(id: id, title: title, finding: finding)
    }
  }

  /// Bytes. MemTotal of proc(5) is what sysconf(_SC_PHYS_PAGES) counts.
  private static func physicalMemory(_ tree: Tree) -> UInt64 {
    let line = tree.read("proc/meminfo")?.split(separator: "\n").first { $0.hasPrefix("MemTotal:") }
    let kilobytes = line?.split(separator: " ").dropFirst().first.flatMap { UInt64($0) }
    return (kilobytes ?? 1 << 20) * 1024
  }
}
