internal import ArgumentParser
internal import PodAPI
internal import PodModel

struct Logs: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logs",
    abstract: "Show the journal of a pod, or of a user's pod.")

  @OptionGroup var globals: GlobalOptions

  @Flag(name: .shortAndLong, help: "Keep running and print new entries as they occur.")
  var follow = false

  @Option(
    name: [.customShort("n"), .long],
    help: ArgumentHelp("Show only the last N entries.", valueName: "N"))
  var lines: Int?

  @Argument(help: ArgumentHelp("A user or a pod.", valueName: "user|pod"), completion: .usersAndPods)
  var name: String

  func validate() throws {
    _ = try Target(name)
    if let lines, lines < 0 { throw ValidationError("--lines must be 0 or more") }
    try JournalQuery.checkFollow(follow, globals.context)
  }

  func run() throws {
    try globals.context.handOver(
      ["logs", name] + (follow ? ["--follow"] : []) + (lines.map { ["--lines", String($0)] } ?? []))
    var query: JournalQuery
    switch try Target(name) {
    case .pod(let pod): query = .pod(pod)
    case .user(let user): query = .user(user, pod: try globals.context.client().user(user).string("Pod"))
    }
    query.follow = follow
    query.lines = lines
    query.noPager = globals.context.noPager
    try query.present(globals.context, \.logJSON)
  }
}
