internal import PodModel

extension HostCheck {
  /// Ports that the kernel gives to any program must not be those of pods, and no other program should listen there.
  func checkPorts(_ tree: Tree) -> Check {
    let id = "ports"
    let range = Self.portRange(tree)
    var finding: Finding?
    let programs = Self.programs(in: range, tree)
    if let first = programs.first {
      let more = programs.count > 1 ? " and \(programs.count - 1) more ports of PortRange=" : ""
      finding = Finding(
        id: id, severity: .advice,
        what: "\(first.program) listens at port \(first.port)\(more), so pods get other ports"
          + " and a pod that has this port cannot be launched.",
        fix: "Let it listen elsewhere, or change PortRange= in podd.conf(5).")
    } else if let chosen = Self.chosenPorts(tree), chosen.overlaps(range),
      !Self.areReserved(chosen.clamped(to: range), tree)
    {
      let ports = "\(range.lowerBound)-\(range.upperBound)"
      finding = Finding(
        id: id, severity: .advice,
        what: "Programs that ask the kernel for any port get \(chosen.lowerBound) to \(chosen.upperBound),"
          + " and PortRange= has some of these, so a pod's port may be taken.",
        fix: "Reserve the pods' ports: sysctl -w net.ipv4.ip_local_reserved_ports=\(ports),"
          + " and the same in /etc/sysctl.d.")
    }
    let title = "ports \(range.lowerBound) to \(range.upperBound) are for pods"
    return Check(id: id, title: title, finding: finding)
  }

  private static func portRange(_ tree: Tree) -> ClosedRange<Int> {
    settings(tree)?.portRange ?? PoddSettings().portRange
  }

  /// podd.conf as podd would read it now; nil with a mistake in it.
  static func settings(_ tree: Tree) -> PoddSettings? {
    try? settingsFiles("podd.conf", tree, limit: 2 << 20).check { PoddSettings.check($0) }.get()
  }

  /// A settings file and its drop-ins.
  /// - Parameter limit: Bytes that are read of each.
  static func settingsFiles(_ name: String, _ tree: Tree, limit: Int) -> SettingsFiles {
    SettingsFiles(
      name, in: SettingsSearch.directories, names: { tree.list($0) },
      content: { tree.content($0, limit: limit) })
  }

  /// `net.ipv4.ip_local_port_range`.
  private static func chosenPorts(_ tree: Tree) -> ClosedRange<Int>? {
    let numbers = tree.words("proc/sys/net/ipv4/ip_local_port_range")?.compactMap { Int($0) } ?? []
    return numbers.count == 2 && numbers[0] <= numbers[1] ? numbers[0]...numbers[1] : nil
  }

  /// `net.ipv4.ip_local_reserved_ports`: numbers and ranges, separated by commas.
  private static func areReserved(_ range: ClosedRange<Int>, _ tree: Tree) -> Bool {
    var reserved: [ClosedRange<Int>] = []
    for word in (tree.read("proc/sys/net/ipv4/ip_local_reserved_ports") ?? "")
      .split(whereSeparator: { $0 == "," || $0.isWhitespace })
    {
      let ends = word.split(separator: "-").compactMap { Int($0) }
      if let first = ends.first, let last = ends.last, first <= last { reserved.append(first...last) }
    }
    return range.allSatisfy { port in reserved.contains { $0.contains(port) } }
  }

  // MARK: Programs

  /// What listens there and is neither podd nor a pod, by port.
  private static func programs(in range: ClosedRange<Int>, _ tree: Tree) -> [(port: Int, program: String)] {
    let listeners = ["proc/net/tcp", "proc/net/tcp6"].flatMap { listening($0, range, tree) }
    guard !listeners.isEmpty else { return [] }
    let holders = processes(with: Set(listeners.map(\.link)), tree)
    var programs: [Int: String] = [:]
    for listener in listeners { programs[listener.port] = holders[listener.link] ?? "Another program" }
    return programs.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  private static func listening(
    _ path: String, _ range: ClosedRange<Int>, _ tree: Tree
  ) -> [SocketTable.Listener] {
    guard case .bytes(let content) = tree.content(path, limit: 16 << 20) else { return [] }
    return SocketTable.listeners(in: String(decoding: content, as: UTF8.self)).filter {
      range.contains($0.port) && !PodName.uids.contains($0.uid) && !$0.isOfPods
    }
  }

  /// The processes that have the sockets, as far as the caller may see that.
  static func processes(with sockets: Set<String>, _ tree: Tree) -> [String: String] {
    var found: [String: String] = [:]
    for pid in tree.list("proc") where pid.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) {
      for number in tree.list("proc/\(pid)/fd") {
        guard let link = tree.link("proc/\(pid)/fd/\(number)"), sockets.contains(link) else { continue }
        let name = (tree.read("proc/\(pid)/comm") ?? "").filter { $0 >= " " && $0.isASCII }
        found[link] = "\(name.isEmpty ? "a program" : name) (process \(pid))"
      }
      if found.count == sockets.count { break }
    }
    return found
  }
}
