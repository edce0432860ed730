internal import ArgumentParser
internal import Glibc
internal import Linux
internal import PodAPI
internal import PodModel

struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show an overview of the host, or everything about one user or pod.")

  @OptionGroup var globals: GlobalOptions

  @Option(
    name: [.customShort("n"), .long],
    help: ArgumentHelp("The number of journal lines to show.", valueName: "N"))
  var lines = 10

  @Argument(help: ArgumentHelp("A user or a pod.", valueName: "user|pod"), completion: .usersAndPods)
  var name: String?

  func validate() throws {
    if let name { _ = try Target(name) }
    if lines < 0 { throw ValidationError("--lines must be 0 or more") }
  }

  func run() throws {
    let client = try globals.context.client()
    switch try name.map({ try Target($0) }) {
    case .pod(let pod): try show(pod: pod, client)
    case .user(let user): try show(user: user, client)
    case nil: try showHost(client)
    }
  }

  private func show(pod: String, _ client: Client) throws {
    let properties = try client.pod(pod)
    guard let row = PodRow(properties) else { throw Self.incomplete(pod) }
    let query = JournalQuery.pod(pod)
    let members = row.jsonMembers
    let recent = RecentMemory.request(client, pod)
    globals.context.present(
      json: .object(
        members + properties.jsonMembers(excluding: Set(members.map(\.key)))
          + [("memory_trend", recent?.json ?? .null), ("log", logJSON(query))])
    ) { StatusPage.pod(row, properties, recentMemory: recent, log: tail(query), $0) }
  }

  private func show(user: UserName, _ client: Client) throws {
    let properties = try client.user(user)
    guard let row = UserRow(properties) else { throw Self.incomplete(user.text) }
    let query = JournalQuery.user(user, pod: nil)
    let members = row.jsonMembers
    globals.context.present(
      json: .object(
        members + properties.jsonMembers(excluding: Set(members.map(\.key))) + [("log", logJSON(query))])
    ) { StatusPage.user(row, properties, log: tail(query), $0) }
  }

  private func showHost(_ client: Client) throws {
    let properties = try client.status()
    let pods = try client.listPods()
    let users = try properties.uint("NUsers").map { Int(clamping: $0) } ?? client.listUsers().count
    let name = globals.context.host ?? Linux.Host.name
    globals.context.present(json: HostStatus(host: name, properties, pods, users: UInt64(users)).json) {
      StatusPage.host(name: name, properties, pods: pods, users: users, $0)
    }
  }

  private static func incomplete(_ name: String) -> Failure {
    Failure("podd's reply about \(name) is incomplete; are podctl and podd of the same version?")
  }

  // MARK: The last lines of the journal; a page without them is still useful

  private func output(of command: [String]) -> [UInt8] {
    guard lines > 0 else { return [] }
    let words = globals.context.host.map { Remote.wrap(command, host: $0) } ?? command
    return Child.output(of: words, quietErrors: true)?.bytes ?? []
  }

  private func tail(_ query: JournalQuery) -> [String] {
    var query = query
    query.lines = lines
    return String(decoding: output(of: query.tailCommand), as: UTF8.self).split(separator: "\n").map(
      String.init)
  }

  private func logJSON(_ query: JournalQuery) -> JSON {
    var query = query
    query.lines = lines
    return .array(JournalEntry.parse(export: output(of: query.exportCommand)).map(\.logJSON))
  }
}
