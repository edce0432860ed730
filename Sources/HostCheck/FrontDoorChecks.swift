internal import Glibc
internal import PodModel

/// The front door podctl-gate: what its files and the kernel's tables say. Nothing of it keeps a pod from running, so all
/// findings are advice.
extension HostCheck {
  /// Empty where podctl-gate is not installed. What the caller may not look at is left out.
  public func frontDoor() -> [Check] {
    let tree = Tree(root: root)
    guard tree.exists("usr/lib/podctl/podgate") else { return [] }
    let accounts = Accounts(tree)
    return checkFrontPermissions(tree, accounts) + checkFrontListeners(tree, accounts)
      + checkFrontLimits(tree) + [checkFrontUsers(tree, accounts)]
  }

  private static let service = "podctl-front.service"
  private static let nginxUser = "podctl-front"

  private static func advice(_ id: String, _ title: String, _ what: String, _ fix: String) -> Check {
    Check(id: id, title: title, finding: Finding(id: id, severity: .advice, what: what, fix: fix))
  }

  // MARK: Secrets

  /// podgate must be able to read the keys of tokens, and nobody else but those who may, them and the private key.
  private func checkFrontPermissions(_ tree: Tree, _ accounts: Accounts) -> [Check] {
    let id = "front-permissions", title = "front door: keys are readable for those who need them"
    let keys = Self.keyFile(tree)
    var checks: [Check] = []
    if let gate = accounts.account(named: "podctl-gate"),
      case .refused(let hurdle) = tree.rights(to: keys, for: gate)
    {
      let fix =
        hurdle == keys
        ? "Let it: chgrp podctl-gate \(keys) && chmod 640 \(keys)"
        : "Let it enter: chgrp podctl-gate \(hurdle) && chmod g+x \(hurdle)"
      checks.append(
        Self.advice(
          id, title, "podgate may not read \(keys) because of the permissions of \(hurdle).",
          "\(fix), then: systemctl reload-or-restart podgate.service."))
    }
    for (file, mode) in [(keys, "640"), ("/etc/podctl/front/tls.key", "600")]
    where tree.rights(to: file, for: .stranger) == .granted {
      checks.append(
        Self.advice(
          id, title, "Every user of the host can read the secrets in \(file).",
          "Forbid it: chmod \(mode) \(file); and replace them if others may have read them."))
    }
    return checks.isEmpty ? [Check(id: id, title: title, finding: nil)] : checks
  }

  /// KeyFile= of podgate.conf(5).
  private static func keyFile(_ tree: Tree) -> String {
    let files = settingsFiles("podgate.conf", tree, limit: 1 << 20)
    return (try? files.check(GateSettings.check).get())?.keyFile ?? GateSettings().keyFile
  }

  // MARK: Addresses

  /// nginx listens where listen.conf says.
  private func checkFrontListeners(_ tree: Tree, _ accounts: Accounts) -> [Check] {
    let id = "front-address"
    // What nginx has read, then what it would read.
    let text =
      tree.read("run/podctl/front/listen.conf") ?? tree.read("etc/podctl/front/listen.conf")
      ?? "listen 443 ssl;"
    let isRunning = Self.nginx(tree) != nil
    let places = ListenPlace.all(in: text)
    let title = "front door listens at \(places.map(\.description).joined(separator: ", "))"
    let ports = Set(places.compactMap(\.port))
    let listeners = ["proc/net/tcp", "proc/net/tcp6"].flatMap { path -> [SocketTable.Listener] in
      guard case .bytes(let content) = tree.content(path, limit: 16 << 20) else { return [] }
      return SocketTable.listeners(in: String(decoding: content, as: UTF8.self))
        .filter { ports.contains($0.port) && !$0.isOfPods }
    }
    let own = accounts.account(named: Self.nginxUser)?.uid
    var checks: [Check] = []
    for port in ports.sorted() where !listeners.contains(where: { $0.port == port && $0.uid == own }) {
      if let other = listeners.first(where: { $0.port == port }) {
        let program = Self.processes(with: [other.link], tree)[other.link] ?? "Another program"
        checks.append(
          Self.advice(
            id, title, "\(program) listens at port \(port), so the front door cannot.",
            "Stop it and run systemctl restart \(Self.service), or choose another port in"
              + " /etc/podctl/front/listen.conf: see podctl-front(8), WITH ANOTHER WEB SERVER."))
      } else if isRunning {
        checks.append(
          Self.advice(
            id, title, "\(Self.service) runs, but nothing listens at port \(port).",
            "nginx takes a new address at its start only: systemctl restart \(Self.service)."))
      }
    }
    for path in places.compactMap(\.path) where isRunning && !tree.exists(String(path.dropFirst())) {
      checks.append(
        Self.advice(
          id, title, "\(Self.service) runs, but its socket \(path) is missing.",
          "Let it make the socket: systemctl restart \(Self.service)."))
    }
    if !checks.isEmpty { return checks }
    return isRunning ? [Check(id: id, title: title, finding: nil)] : []
  }

  /// The process id of nginx's first process, as long as that is nginx.
  private static func nginx(_ tree: Tree) -> String? {
    guard let pid = tree.words("run/podctl-front/nginx.pid")?.first.map(String.init),
      pid.utf8.allSatisfy({ (0x30...0x39).contains($0) }), tree.words("proc/\(pid)/comm")?.first == "nginx"
    else { return nil }
    return pid
  }

  // MARK: Limits

  /// A connection may need a file, too, in which a slow client's body or response waits.
  private func checkFrontLimits(_ tree: Tree) -> [Check] {
    let id = "front-limits"
    guard let pid = Self.nginx(tree),
      let limits = tree.read("proc/\(pid)/limits")?.split(separator: "\n"),
      let open = limits.first(where: { $0.hasPrefix("Max open files") })?.split(separator: " "),
      open.count > 3, let files = UInt64(open[3]),
      let connections = Self.number(after: "worker_connections", in: tree.read("usr/lib/podctl/front.conf"))
    else { return [] }
    let title = "front door: \(files) descriptors for \(connections) connections of each nginx process"
    guard files < 2 * connections else { return [Check(id: id, title: title, finding: nil)] }
    return [
      Self.advice(
        id, title,
        "nginx may have \(files) descriptors for \(connections) connections, so it refuses some of them.",
        "Set LimitNOFILE=\(4 * connections), or no limit of your own: systemctl edit \(Self.service), then:"
          + " systemctl restart \(Self.service).")
    ]
  }

  /// `worker_connections 8192;`
  private static func number(after directive: String, in text: String?) -> UInt64? {
    NginxText.statements(of: text ?? "").first { $0.first == directive[...] }?.dropFirst().first
      .flatMap { UInt64($0) }
  }

  // MARK: podd.conf

  private func checkFrontUsers(_ tree: Tree, _ accounts: Accounts) -> Check {
    let id = "front-users", title = "front door may connect to pods"
    let users = Self.settings(tree)?.frontUsers
    let uid = accounts.account(named: Self.nginxUser).map { String($0.uid) }
    guard let users, !users.contains(where: { $0 == Self.nginxUser || $0 == uid }) else {
      return Check(id: id, title: title, finding: nil)
    }
    return Self.advice(
      id, title, "FrontUsers= in podd.conf does not name \(Self.nginxUser), so pods refuse the front door.",
      "Add it: FrontUsers=\((users + [Self.nginxUser]).joined(separator: " ")), then: systemctl reload podd.service."
    )
  }
}
